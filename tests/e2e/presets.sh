#!/bin/sh
# aor models: the list, one model, JSON, presets of one's own.
# shellcheck source=tests/e2e/lib.sh
. "$SOURCE/tests/e2e/lib.sh"
export AOR_CACHE=$T/cache

"$AOR" models >table
"$AOR" models --json >all.json
names() { tail -n +2 table | cut -d' ' -f1; }
every() { (cd "$SOURCE/data/models" && ls ./*.yaml) | sed 's,^\./,,; s,\.yaml$,,' >files && names | diff files -; }
ok "the table has every preset" every
same() { jq -r '.[].name' all.json | diff files -; }
ok "and so has JSON" same
narrow() { [ "$(wc -L <table)" -le 100 ]; }
ok "it fits a terminal of 100 columns" narrow
ways() {
    jq -e 'all((.runs == "hosted") == (.api != null and .serve == null and .gguf == null) and
        (.runs | contains("gguf")) == (.gguf != null) and (.runs | contains("server")) == (.serve != null))' all.json
}
ok "where a model runs is what its preset has" ways
untried() { jq -e 'all(.tested == "never")' all.json; }
ok "none says that it was tried" untried
# The model's text begins with its name and has these lines.
has() {
    head -n 1 one | grep -q "^$name: " || return 1
    for line; do
        grep -qxF -e "  $line" one || return 1
    done
}
details() {
    for name in $(names); do
        "$AOR" models "$name" >one || return 1
        set --
        jq -e --arg n "$name" '.[] | select(.name == $n).gguf' all.json >/dev/null &&
            set -- "aor pull $name && aor run BENCH -m $name -o RUN.db"
        serve=$(jq -r --arg n "$name" '.[] | select(.name == $n).serve // empty' all.json)
        [ -z "$serve" ] ||
            set -- "$@" "$serve" "aor run BENCH -m $name --url http://127.0.0.1:8000/v1 -o RUN.db"
        has "$@" || { cat one && return 1; }
    done
}
ok "each by its name, with the commands to use it" details
one() { "$AOR" models voxtral-mini-3b --json | jq -e --slurpfile all all.json '. == ($all[0][] | select(.name == "voxtral-mini-3b"))'; }
ok "one as JSON is as in the list" one

sed 's/^title: .*/title: "Mine é"/' "$SOURCE/data/models/ultravox-v0.5-1b.yaml" >mine-1.0.yaml
mine() { "$AOR" models ./mine-1.0.yaml | grep -qx 'mine-1.0: Mine é' && "$AOR" models mine-1.0.yaml --json | jq -e '.title == "Mine é"'; }
ok "a preset of one's own, by its path" mine
pulled() {
    mkdir -p cache/models/mine-1.0
    "$AOR" models mine-1.0.yaml --json | jq -e '.gguf.is_pulled | not' &&
        "$AOR" models mine-1.0.yaml --json | jq -r '.gguf.text_file, .gguf.mmproj_file' | while read -r file; do echo x >"$file"; done
    "$AOR" models mine-1.0.yaml --json | jq -e .gguf.is_pulled
}
ok "it says whether its files are there" pulled
fails "a name that is none" 2 '^aor: nobody: there is no such model; aor models lists them$' "$AOR" models nobody
fails "a name on a hub" 2 '^aor: owner/nobody: there is no such model; aor models lists them$' "$AOR" models owner/nobody
fails "a file that is not there" 1 '^aor: ./nobody.yaml: No such file' "$AOR" models ./nobody.yaml
echo 'title: [' >broken.yaml
fails "a file that is no preset" 1 '^aor: broken.yaml:' "$AOR" models broken.yaml
fails "two names" 2 '^aor: usage: aor models' "$AOR" models a b
finish
