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

# A sound container of OpenTTD: a table of (offset, size), then WAV files, each after its name, which
# has one byte of length before it. Sound i becomes i.wav beside the container.
split_cat() {
    n=$(($(od -An -tu4 -N4 "$1") % 2147483648 / 8))
    i=0
    while [ "$i" -lt "$n" ]; do
        at=$(($(od -An -tu4 -j "$((8 * i))" -N4 "$1") % 2147483648))
        at=$((at + 1 + $(od -An -tu1 -j "$at" -N1 "$1")))
        size=$((8 + $(od -An -tu4 -j "$((at + 4))" -N4 "$1")))
        tail -c "+$((at + 1))" "$1" | head -c "$size" >"${1%/*}/$i.wav"
        i=$((i + 1))
    done
}

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
    find "$work/tree" -name '*.cat' | while read -r cat; do split_cat "$cat"; done
    mv "$work/tree" "$sounds/$package"
    rm -rf "$work"
done
echo "$sounds"
