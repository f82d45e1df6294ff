#!/bin/sh
# Help and man pages say the same: every command, every option, every example.
# shellcheck source=tests/e2e/lib.sh
. "$SOURCE/tests/e2e/lib.sh"
MAN=$SOURCE/man

# Options of -h, one a line: "-o, --output BENCH".
help_options() {
    sed -n '/^Options:$/,/^$/p' "$1" |
        sed -nE 's/^ +((-[A-Za-z], )?--[a-z-]+( [A-Z][A-Za-z.\/]*)?) +[^ ].*$/\1/p' | sort
}
# The same of a man page: ".It Fl o , Fl -output Ar BENCH" in its OPTIONS.
page_options() {
    sed -n '/^\.Sh OPTIONS$/,/^\.Sh /p' "$1" |
        sed -nE 's/^\.It (Fl .*)$/\1/p' | sed -e 's/ ,/,/g' -e 's/Fl /-/g' -e 's/Ar //' | sort
}
# Examples, and any line of a page, as they look on the terminal.
help_examples() { sed -n '/^Examples:$/,$p' "$1" | sed -n 's/^  //p'; }
page_text() { sed -e 's/\\-/-/g' -e "s/\\\\(aq/'/g" "$1"; }

ok "aor -h" "$AOR" -h
"$AOR" -h >top 2>/dev/null
sed -n '/^Commands:$/,/^$/p' top | sed -nE 's/^  ([a-z]+) .*/\1/p' >commands
some() { [ "$(wc -l <commands)" -ge 1 ]; }
ok "it lists commands" some
same_help() { "$AOR" --help | cmp - top && "$AOR" help | cmp - top; }
ok "aor --help and aor help are the same" same_help
alone() { "$AOR" >alone.out 2>alone.err; [ "$?" -eq 2 ] && [ ! -s alone.out ] && cmp top alone.err; }
ok "aor alone: the same on stderr, exit code 2" alone

exits_well() { [ -s "$cmd.h" ] && [ ! -s "$cmd.err" ] && [ "$status" -eq 0 ]; }
long_help() { "$AOR" "$cmd" --help | cmp - "$cmd.h"; }
usage() { head -n 1 "$cmd.h" | grep -q "^usage: aor $cmd "; }
has_page() { [ -s "$page" ] && grep -qx "\.Nm aor-$cmd" "$page"; }
options() {
    help_options "$cmd.h" >"$cmd.in_help"
    page_options "$page" >"$cmd.in_page"
    # Every line with an option was understood, and there is at least -h.
    [ "$(wc -l <"$cmd.in_help")" -eq "$(sed -n '/^Options:$/,/^$/p' "$cmd.h" | grep -c '^  ')" ] &&
        grep -qx -e '-h, --help' "$cmd.in_help" && diff "$cmd.in_help" "$cmd.in_page"
}
in_synopsis() {
    sed -n '/^\.Sh SYNOPSIS$/,/^\.Sh DESCRIPTION$/p' "$page" >"$cmd.synopsis"
    while read -r first second rest; do
        case $first in
        --*) flag=${first#-} ;;
        *) flag=${first#-} flag=${flag%,} ;;
        esac
        grep -qE "Fl $flag( |\$)" "$cmd.synopsis" || { echo "$first $second $rest" && return 1; }
    done <"$cmd.in_help"
}
examples() {
    help_examples "$cmd.h" >"$cmd.examples"
    [ -s "$cmd.examples" ] && ! grep -vE "^aor $cmd( |\$)" "$cmd.examples" || return 1
    page_text "$page" | sed -n '/^\.Sh EXAMPLES$/,$p' >"$cmd.page_examples"
    while read -r line; do
        grep -qxF -e "$line" "$cmd.page_examples" || { echo "$line" && return 1; }
    done <"$cmd.examples"
}
in_overview() { grep -qx "\.It Ic $cmd" "$MAN/aor.1" && grep -q "^\.Xr aor-$cmd 1" "$MAN/aor.1"; }

while read -r cmd; do
    page=$MAN/aor-$cmd.1
    "$AOR" "$cmd" -h >"$cmd.h" 2>"$cmd.err"
    status=$?
    ok "aor $cmd -h: exit code 0, text on stdout only" exits_well
    ok "aor $cmd --help is the same" long_help
    ok "aor $cmd -h begins with its usage" usage
    ok "aor-$cmd.1 exists" has_page
    ok "aor-$cmd.1 has the options of -h and no other" options
    ok "aor-$cmd.1 has them in its synopsis" in_synopsis
    ok "aor-$cmd.1 has the examples of -h" examples
    ok "aor.1 names $cmd" in_overview
done <commands

no_other_page() {
    for page in "$MAN"/aor-*.1; do
        cmd=${page##*/aor-}
        grep -qx "${cmd%.1}" commands || { echo "$page" && return 1; }
    done
}
ok "aor -h names the command of every page" no_other_page
finish
