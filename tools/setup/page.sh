#!/bin/sh
# Bundles the pages of aor report and aor serve (web/): page.sh OUT
set -eu
setup=$(cd "$(dirname "$0")" && pwd)
web=$setup/../../web
modules=$("$setup/npm.sh" "$web")
exec node "$web/build.mjs" "$modules" "$1"
