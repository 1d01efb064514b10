#!/bin/sh
# verify.sh: fails when what is committed is not what is generated.
set -eu
if ! git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
	echo "not a git checkout: cannot tell whether generated files drifted" >&2
	exit 0
fi
state() { { git status --porcelain; git diff; } | cksum; }
before=$(state)
go generate ./...
if [ "$(state)" != "$before" ]; then
	git status --short
	echo "generated files differ: run make gen and commit" >&2
	exit 1
fi
