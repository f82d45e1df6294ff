#!/bin/sh
# Bundles the pages of aor report and aor serve (web/): page.sh OUT
set -eu
out=$1
setup=$(cd "$(dirname "$0")" && pwd)
web=$setup/../../web
modules=$("$setup/npm.sh" "$web")

mkdir -p "$out"
NODE_PATH=$modules "$modules/.bin/esbuild" "$web/report.js" "$web/listen.js" --bundle --minify \
    --format=iife --target=es2022 --charset=utf8 --legal-comments=none --log-level=warning \
    --outdir="$out"
cp "$web/report.html" "$web/listen.html" "$web/page.css" "$out"
# They are inlined: nothing in them may end or begin an element.
if grep -qiE '</(script|style)|<!--' "$out/report.js" "$out/page.css"; then
    echo "aor: web: a bundle holds an element's end or a comment's begin" >&2
    exit 1
fi
