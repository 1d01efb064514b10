#!/bin/sh
# fuzz.sh [TIME [NAME]]: runs every fuzz target of the tree for TIME (30s), one after the other, or those alone whose
# names begin with NAME. Stops at the first that fails and says which input did it: that file stays, as a seed, with the fix.
# How many inputs are tried at once is for GOFLAGS to say: GOFLAGS=-parallel=1.
set -eu
time=${1:-30s}
name=${2:-Fuzz}

log=$(mktemp)
trap 'rm -f "$log"' EXIT
begun=$(date +%s)

so_far() {
	seconds=$(($(date +%s) - begun))
	printf '%dm%02ds' $((seconds / 60)) $((seconds % 60))
}

# explain DIR TARGET: what the log says of a failure.
explain() {
	file=$(sed -n 's|.*Failing input written to \(testdata/fuzz/[^ ]*\).*|\1|p' "$log" | head -n 1)
	entry=$(sed -n 's|^failure while testing seed corpus entry: ||p' "$log" | head -n 1)
	if [ -n "$entry" ] && [ -f "$1/testdata/fuzz/$entry" ]; then
		file=testdata/fuzz/$entry # one that was kept
	fi
	echo
	if [ -n "$file" ]; then
		echo "FAILED: $2 in $1, by the input in $1/$file"
		echo "Once more:  go test $1 -run '^$2\$/^$(basename "$file")\$'"
	elif [ -n "$entry" ]; then
		echo "FAILED: $2 in $1, by its own seed $entry, which is in its source"
		echo "Once more:  go test $1 -run '^$2\$/^${entry#*/}\$'"
	else
		echo "FAILED: $2 in $1, by no input: see above"
	fi
} >&2

# fuzz DIR TARGET: whether it passed. The name ends where the pattern does: there may be others that it begins.
fuzz() {
	{ go test "$1" -run '^$' -fuzz "^$2\$" -fuzztime "$time" </dev/null 2>&1 && echo passed || echo failed; } | tee "$log"
	[ "$(tail -n 1 "$log")" = passed ]
}

# late: Go at times takes the end of the time for a failure, which has then no input (https://go.dev/issue/75804).
late() {
	grep -q '^ *context deadline exceeded$' "$log" && ! grep -Eq 'Failing input|seed corpus entry|panic' "$log"
}

# Lines of "DIR TARGET".
targets=$(grep -rEo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*\(' . |
	sed 's|^\(.*\)/[^/]*:func \(Fuzz[A-Za-z0-9_]*\)($|\1 \2|' | sort | grep " $name" || true)
if [ -z "$targets" ]; then
	echo "fuzz.sh: there is no target whose name begins with $name" >&2
	exit 1
fi
count=$(echo "$targets" | wc -l | tr -d ' ')

n=0
while read -r dir target; do
	n=$((n + 1))
	echo "== $n of $count: $target in $dir for $time, $(so_far) so far"
	if ! fuzz "$dir" "$target" && ! { late && echo "== $target once more: its time ended, and nothing else is known" && fuzz "$dir" "$target"; }; then
		explain "$dir" "$target"
		exit 1
	fi
done <<END
$targets
END
echo "== all $count passed in $(so_far)"
