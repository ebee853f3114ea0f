#!/bin/sh
# Breaks an installation for minutes and then looks what was lost: kills and
# cuts, then jobs that kill their worker, then power failures of Redis. See
# docs/chaos.md. SEED repeats a plan; KILLS (1000) and MINUTES (30) end the
# first part, whichever comes first; MINUTES alone ends it whatever was killed
# by then. Arguments go to the first part.
set -eu
cd "$(dirname "$0")/.."
scripts/fetch-redis.sh
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
go build -o "$dir/chaos" ./scripts/chaos
go build -tags failpoint -o "$dir/docsvc" .
seed=${SEED:-$(date +%s)}
kills=${KILLS:-${MINUTES:+0}}
status=0
"$dir/chaos" -seed "$seed" -docsvc "$dir/docsvc" -kills "${kills:-1000}" -limit "${MINUTES:-30}m" "$@" || status=1
"$dir/chaos" -seed "$seed" -docsvc "$dir/docsvc" -scenario limit || status=1
"$dir/chaos" -seed "$seed" -docsvc "$dir/docsvc" -scenario everysec || status=1
exit $status
