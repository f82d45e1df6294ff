#!/bin/sh
# Fetches what DIR/package-lock.json names once into the cache ($AOR_CACHE, $XDG_CACHE_HOME/aor or
# ~/.cache/aor) and prints where its node_modules is: npm.sh DIR
set -eu
dir=$1
cache=${AOR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/aor}
packages=$cache/npm-$(cat "$dir/package.json" "$dir/package-lock.json" | sha256sum | cut -c 1-12)

mkdir -p "$cache"
exec 9>"$cache/npm.lock"
flock 9
if [ ! -d "$packages" ]; then
    echo "aor: fetching npm packages of $(basename "$dir")/package-lock.json" >&2
    work=$(mktemp -d "$cache/fetch.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    cp "$dir/package.json" "$dir/package-lock.json" "$work"
    (cd "$work" && npm ci --ignore-scripts --no-audit --no-fund --silent >&2)
    mv "$work" "$packages"
fi
echo "$packages/node_modules"
