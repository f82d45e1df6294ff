#!/bin/sh
# Bundles the pages of aor report and aor serve: page.sh OUT
# The libraries (web/package-lock.json) are fetched once into the cache
# ($AOR_CACHE, $XDG_CACHE_HOME/aor or ~/.cache/aor).
set -eu
out=$1
root=$(cd "$(dirname "$0")/../.." && pwd)
cache=${AOR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/aor}
libraries=$cache/page-$(cat "$root/web/package.json" "$root/web/package-lock.json" | sha256sum | cut -c 1-12)

mkdir -p "$cache"
exec 9>"$cache/page.lock"
flock 9
if [ ! -d "$libraries" ]; then
    echo "aor: fetching the page's libraries (npm: vega, vega-lite, vega-embed, esbuild)" >&2
    work=$(mktemp -d "$cache/page.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    cp "$root/web/package.json" "$root/web/package-lock.json" "$work"
    (cd "$work" && npm ci --ignore-scripts --no-audit --no-fund --silent >&2)
    mv "$work" "$libraries"
fi
mkdir -p "$out"
NODE_PATH=$libraries/node_modules "$libraries/node_modules/.bin/esbuild" \
    "$root/web/report.js" "$root/web/listen.js" --bundle --minify --format=iife --target=es2022 \
    --charset=utf8 --legal-comments=none --log-level=warning --outdir="$out"
cp "$root/web/report.html" "$root/web/listen.html" "$root/web/page.css" "$out"
# They are inlined: nothing in them may end or begin an element.
if grep -qiE '</(script|style)|<!--' "$out/report.js" "$out/page.css"; then
    echo "aor: web: a bundle holds an element's end or a comment's begin" >&2
    exit 1
fi
