#!/bin/sh
# make check: format, layers, static analysis, shell scripts, man pages. check.sh BUILD_DIR
set -u
cd "$(dirname "$0")/.." || exit 1
build=$1
bad=0
step() {
    echo "check: $1"
    shift
    "$@" || bad=1
}

sources=$(git ls-files '*.c' '*.h' '*.cpp')
c_sources=$(git ls-files 'src/*.c' 'cmd/*.c')
scripts=$(git ls-files '*.sh' '.ci/run')
pages=$(git ls-files 'man/*.1')

man_lint() {
    # Mentions of a style nature are let pass; warnings and errors are not.
    [ -z "$pages" ] || mandoc -T lint -W warning $pages
}

step format clang-format --dry-run --Werror $sources
step layers tests/layers.sh
step shellcheck shellcheck $scripts
step "man pages" man_lint
step cppcheck cppcheck --quiet --std=c11 --enable=warning,portability --error-exitcode=1 \
    --inline-suppr --suppress=missingInclude -Isrc -Icmd -j 2 $c_sources
step clang-tidy sh -c "printf '%s\n' \"\$@\" | xargs -P 2 -n 6 clang-tidy --quiet -p '$build' 2>/dev/null" \
    - $c_sources
[ $bad -eq 0 ] && echo "check: all good"
exit $bad
