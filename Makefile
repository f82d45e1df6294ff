# The words people try first. The build itself is CMake's: see CMakePresets.json.
#
#   make          build aor (build/release/aor)
#   make demo     install what is missing, build, and go the whole way with the embedded model
#   make test     all tests              make check   format, layers, static analysis, man pages
#   make bench    speed and memory beside what one would use instead, as ratios
#   make fuzz     each fuzz target for FUZZ_SECONDS
#   make soak     kill -9 KILLS times a run, greedy and sampled
#   make install PREFIX=/usr/local

PREFIX ?= /usr/local
DEMO ?= demo
FUZZ_SECONDS ?= 10
KILLS ?= 100
SETUP := tools/setup

.PHONY: all deps dev-deps release asan test check demo bench fuzz soak install clean

all: release

deps:
	@$(SETUP)/apt.sh build

dev-deps:
	@$(SETUP)/apt.sh build dev

# configure PRESET, build it: llama.sh prints where the cached llama.cpp build is.
define build_preset
	@AOR_LLAMA_DIR="$$($(SETUP)/llama.sh $(2))" && export AOR_LLAMA_DIR && \
	cmake --preset $(1) --log-level=WARNING -DCMAKE_INSTALL_PREFIX=$(PREFIX) \
		$(if $(CI),-DAOR_WERROR=ON) >/dev/null
	@cmake --build build/$(1)
endef

release: deps
	$(call build_preset,release,libraries)

asan: dev-deps
	$(call build_preset,asan,peers)

# The unit tests under ASan and UBSan; the whole path with the release build.
test: dev-deps asan
	$(call build_preset,release,peers)
	@$(SETUP)/sounds.sh >/dev/null
	ctest --test-dir build/asan --output-on-failure --no-tests=error -j "$$(nproc)" -L unit
	ctest --test-dir build/release --output-on-failure --no-tests=error -L e2e

check: dev-deps
	$(call build_preset,dev,libraries)
	tests/check.sh build/dev

fuzz: dev-deps
	cmake --preset fuzz >/dev/null
	cmake --build build/fuzz
	tests/fuzz.sh build/fuzz $(FUZZ_SECONDS)

soak: dev-deps release
	@AOR=$(CURDIR)/build/release/aor SOURCE=$(CURDIR) SHARED=$(CURDIR)/build/release/e2e \
		KILLS=$(KILLS) sh tests/e2e/kill.sh

demo: release
	@$(SETUP)/sounds.sh >/dev/null
	@tools/demo.sh build/release/aor $(DEMO)

bench: release
	@$(SETUP)/apt.sh dev bench
	@$(SETUP)/sounds.sh >/dev/null
	@bench/build.sh build/release/aor
	@bench/run.sh build/release/aor "$$(tools/setup/llama.sh peers)/bin"
	@bench/remote.sh build/release/aor
	@bench/statistics.sh build/release/aor
	@bench/steer.sh build/release/aor "$$(tools/setup/llama.sh peers)/bin"
	@bench/report.sh build/release/aor

install: release
	cmake --install build/release

clean:
	rm -rf build
