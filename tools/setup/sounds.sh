#!/bin/sh
# Fetches the Debian packages that data/sounds.yaml names, unpacks them (without installing) into a
# cache and prints its folder.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cache=${AOR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/aor}
sounds=$cache/sounds
mkdir -p "$sounds"
exec 9>"$cache/sounds.lock"
flock 9

sed -n 's/^  - package: *//p' "$here/../../data/sounds.yaml" | while read -r package; do
    [ -d "$sounds/$package" ] && continue
    echo "aor: fetching sounds: Debian package $package" >&2
    work=$(mktemp -d "$cache/fetch.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    chmod 755 "$work"
    (cd "$work" && apt-get download -qq "$package" >&2) || {
        echo "aor: fetching sounds: $package: apt-get download failed (are its lists there? apt-get update)" >&2
        exit 1
    }
    dpkg-deb -x "$work"/*.deb "$work/tree"
    mv "$work/tree" "$sounds/$package"
    rm -rf "$work"
done
echo "$sounds"
