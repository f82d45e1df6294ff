#!/bin/sh
# From the scenarios to models/aor-tiny: train.sh [WORK]. Goes on where it was interrupted.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=${1:-$root/build/train}
mkdir -p "$work"
work=$(cd "$work" && pwd)
make -C "$root" release
aor=$root/build/release/aor
"$root/tools/setup/sounds.sh" >/dev/null

python=$work/venv/bin/python
[ -x "$python" ] || python3 -m venv "$work/venv"
"$python" -m pip install -q -r "$here/requirements.txt"

cd "$here"
# glibc gives large blocks back and fetches them again, at each step, unless told otherwise.
export MALLOC_MMAP_THRESHOLD_=4000000000 MALLOC_TRIM_THRESHOLD_=8000000000 MALLOC_TOP_PAD_=268435456
[ -f "$work/scenes.npz" ] || "$python" speech.py "$work" "$aor" train
"$python" train.py "$work" listen
"$python" train.py "$work" hear
"$python" train.py "$work" safety
"$python" export.py "$work/safety.pt" "$root/models/aor-tiny/aor-tiny"
