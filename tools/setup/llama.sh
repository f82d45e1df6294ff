#!/bin/sh
# Builds llama.cpp once into a cache and prints the build folder: llama.sh [libraries|peers]
#   libraries  libllama, libmtmd and llama-common, which aor links (the default)
#   peers      also llama-mtmd-cli and llama-server, which tests compare with
# Environment:
#   AOR_LLAMA_SRC      a llama.cpp checkout to build instead of the pinned release
#   AOR_LLAMA_OPTIONS  more CMake options, such as -DGGML_CUDA=ON
#   AOR_CACHE          the cache (default: $XDG_CACHE_HOME/aor or ~/.cache/aor)
set -eu
target=${1:-libraries}
here=$(cd "$(dirname "$0")" && pwd)
cache=${AOR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/aor}
options=${AOR_LLAMA_OPTIONS:-}

# llama.cpp v0.5.0, as the git bundle inside this npm package.
package=node-llama-cpp@3.22.1
package_sha256=a0d9dd80eacd2ab1cfe71aee57ac8a806487fd70b3d2a38fbec637752d9e5c5f
bundle_sha256=5f5d1105d5df040738d87b8290e5d17e7362131cdcfdb0831618e0ea528b4a51

mkdir -p "$cache"
exec 9>"$cache/llama.lock"
flock 9

check_sha256() {
    echo "$2  $1" | sha256sum --check --status || {
        echo "aor: $1: SHA-256 is not $2" >&2
        exit 1
    }
}

if [ -n "${AOR_LLAMA_SRC:-}" ]; then
    src=$(cd "$AOR_LLAMA_SRC" && pwd)
    version=$(git -C "$src" describe --always --dirty 2>/dev/null || echo unknown)-$(echo "$src" | cksum | cut -d' ' -f1)
else
    src=$cache/llama.cpp-v0.5.0
    version=v0.5.0
    if [ ! -e "$src/CMakeLists.txt" ]; then
        echo "aor: fetching llama.cpp v0.5.0 (npm package $package, 36 MB)" >&2
        work=$(mktemp -d "$cache/fetch.XXXXXX")
        trap 'rm -rf "$work"' EXIT
        (cd "$work" && npm pack "$package" --silent >/dev/null)
        check_sha256 "$work"/node-llama-cpp-*.tgz "$package_sha256"
        tar -xzf "$work"/node-llama-cpp-*.tgz -C "$work" package/llama/gitRelease.bundle
        check_sha256 "$work/package/llama/gitRelease.bundle" "$bundle_sha256"
        git -c advice.detachedHead=false clone -q "$work/package/llama/gitRelease.bundle" "$work/src"
        rm -rf "$src"
        mv "$work/src" "$src"
    fi
fi

key=$({
    echo "$version $options"
    cat "$here/llama/CMakeLists.txt"
    c++ --version | head -n 1
    grep -m 1 '^flags' /proc/cpuinfo || uname -m
} | sha256sum | cut -c 1-12)
build=$cache/llama-$version-$key

if [ ! -e "$build/.$target" ]; then
    echo "aor: building llama.cpp $version ($target) in $build: minutes, once" >&2
    log=$cache/llama-build.log
    if cmake -S "$here/llama" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release \
        -DLLAMA_SRC="$src" $options >"$log" 2>&1 &&
        cmake --build "$build" --target "$target" >>"$log" 2>&1; then
        touch "$build/.$target"
    else
        tail -n 30 "$log" >&2
        echo "aor: building llama.cpp failed; all of it: $log" >&2
        exit 1
    fi
fi
echo "$build"
