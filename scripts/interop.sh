#!/bin/sh
# The long form of the comparison with Python's RQ that "make test" runs in
# short: more random sequences, other versions of RQ, and tools of others that
# read its keys. Everything it needs beyond Go goes below .cache. Ends with
# what was compared. SEED=N draws other random sequences.
set -u
cd "$(dirname "$0")/.." || exit 1
for name in $(env | sed -n 's/^\(REDIS_URL\|AWS_[A-Z0-9_]*\|DOCSVC_[A-Z0-9_]*\)=.*/\1/p'); do
  unset "$name"
done

without=""
fetch() {
  line=$("$@")
  echo "$line"
  case $line in *none*|*could\ not*|*does\ not*) without="$without  - $line
" ;; esac
}
fetch scripts/fetch-redis.sh
fetch scripts/fetch-valkey.sh
fetch scripts/fetch-python.sh
fetch scripts/fetch-python.sh rq-2.0 rq==2.0.0
fetch scripts/fetch-python.sh rq-2.6 rq==2.6.0
fetch scripts/fetch-python.sh rq-3.0 rq==3.0.0
# six is what rq-dashboard 0.9.0 needs and does not name.
fetch scripts/fetch-python.sh dashboard rq-dashboard==0.9.0 rq==2.12.0 six==1.17.0
fetch scripts/fetch-python.sh exporter rq-exporter==3.1.0 rq==2.12.0

results=$(mktemp -d) || exit 1
trap 'rm -rf "$results"' EXIT
trap 'exit 1' INT TERM HUP
witness='BothWorkOnOneQueue|RQInfo|Dashboard|Exporter|Valkey'
go test -count=1 -timeout 9m ./pkg/rq -run "^Test(Interop|OtherVersions|$witness)\$" -v -interop.full -interop.seed "${SEED:-1}" \
  -interop.summary "$results/summary" -interop.versions "$results/versions" >"$results/log" 2>&1
status=$?

[ $status -eq 0 ] || grep -v '^ *--- PASS\|^=== ' "$results/log"
echo
for f in summary versions; do
  [ -f "$results/$f" ] && cat "$results/$f"
done
sed -nE 's/^ *interop_valkey_test.go:[0-9]+: (.*)/on Valkey: \1/p' "$results/log"
sed -nE "s/^--- (PASS|FAIL|SKIP): Test($witness|OtherVersions) .*/\2: \1/p" "$results/log"
[ -z "$without" ] || printf 'ran without:\n%s' "$without"
if [ $status -eq 0 ]; then
  echo "no other differences"
else
  echo "interop failed: the first lines above say where"
fi
exit $status
