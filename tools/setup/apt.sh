#!/bin/sh
# Installs the Debian packages that are missing: apt.sh build | apt.sh build dev
set -eu
here=$(dirname "$0")

is_there() {
    # npm may also have come with a Node.js of the user's own.
    [ "$1" = npm ] && command -v npm >/dev/null && return 0
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing=
while read -r group package; do
    for wanted in "$@"; do
        if [ "$group" = "$wanted" ] && ! is_there "$package"; then
            missing="$missing $package"
        fi
    done
done <"$here/packages.txt"
[ -n "$missing" ] || exit 0

echo "aor: installing Debian packages:$missing" >&2
sudo=
if [ "$(id -u)" -ne 0 ]; then
    sudo=sudo
    command -v sudo >/dev/null || {
        echo "aor: as root, run: apt-get install --no-install-recommends$missing" >&2
        exit 1
    }
fi
$sudo apt-get update -qq >&2
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >&2
