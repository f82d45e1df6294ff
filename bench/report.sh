#!/bin/bash
# shellcheck shell=bash
# The report on 100,000 trials: report.sh AOR. Making it, opening it, filtering. Figures of one run on one machine.
set -euo pipefail
aor=$(realpath "$1")
here=$(realpath "$(dirname "$0")")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo "machine: $(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"

# A plan of the whole benchmark, of which a part is asked; its answers go round over the other trials.
"$aor" build -o bench 2>/dev/null
"$aor" run bench -o run.db -c matched,mismatched,speech,noise -a direct,cot --limit 100 2>/dev/null
timeout -s INT 20 "$aor" run bench -o run.db -c matched,mismatched,speech,noise -a direct,cot 2>/dev/null || true
sqlite3 run.db "
    create temp table answers as select row_number() over () - 1 as n, r.* from response r join trial t on t.id = r.trial
        where r.kind = 'answer' and t.strategy = 'direct';
    insert into trial (sample, condition, strategy, repeat, scene)
        select sample, condition, strategy, x.value, scene from trial, generate_series(2, 4) x;
    delete from trial where id > 100000;
    insert into response (trial, kind, text, finish, n_prompt_tokens, n_answer_tokens, prefill_s, decode_s, answer_at)
        select t.id, a.kind, a.text, a.finish, a.n_prompt_tokens, a.n_answer_tokens, a.prefill_s, a.decode_s, a.answer_at
        from trial t join answers a on a.n = t.id % (select count(*) from answers)
        where not exists (select 1 from response where trial = t.id);"
sqlite3 run.db "select count(*) || ' trials, answers of ' || round(avg(length(text))) || ' characters' from response"
"$aor" judge run.db >/dev/null 2>&1
/usr/bin/time -f 'aor report: %e s, %M KiB' "$aor" report run.db -o report 2>&1 | grep 'KiB'
du -sk report | sed 's/\t.*/ KiB on disk/'
MODULES=$("$here/../tools/setup/npm.sh" "$here/../tests/web") node "$here/report.mjs" report
