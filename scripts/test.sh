#!/bin/sh
# Runs every test. Beyond Go it uses what PATH has or what it can put below
# .cache (a redis-server, Python's rq, tesseract); the last lines say what ran without.
# Arguments go to "go test", e.g. scripts/test.sh -run Claim ./pkg/rq
set -u
cd "$(dirname "$0")/.." || exit 1

# Nothing from outside may reach a test: no real Redis, bucket or setting.
for name in $(env | sed -n 's/^\(REDIS_URL\|AWS_[A-Z0-9_]*\|DOCSVC_[A-Z0-9_]*\)=.*/\1/p'); do
  unset "$name"
done

redis=$(scripts/fetch-redis.sh)
python=$(scripts/fetch-python.sh)
tesseract=$(scripts/fetch-tesseract.sh)
echo "$redis"
echo "$python"
echo "$tesseract"

without=""
note() { without="$without  - $1
"; }
case $redis in *none*|*could\ not*|*does\ not*) note "a real redis-server ($redis): the same suite ran on the in-process engine only" ;; esac
case $python in *none*|*could\ not*|*does\ not*) note "Python's rq ($python): compatibility was tested against recorded layouts only" ;; esac
case $tesseract in *none*|*could\ not*|*does\ not*) note "tesseract ($tesseract): text recognition was tested with a script in its place" ;; esac
command -v valkey-server >/dev/null 2>&1 || [ -x .cache/bin/valkey-server ] || note "Valkey: scripts/fetch-valkey.sh fetches it"

race=""
if [ "$(go env CGO_ENABLED)" = 1 ] && command -v "$(go env CC | cut -d' ' -f1)" >/dev/null 2>&1; then
  race="-race"
else
  note "the race detector (it needs a C compiler, e.g. gcc)"
fi
command -v curl >/dev/null 2>&1 || note "curl: the guide's calls were made from Go only"
browser=""
for b in chromium chromium-browser google-chrome; do
  command -v "$b" >/dev/null 2>&1 && browser=$b
done
[ -n "$browser" ] || note "a headless Chromium: the docs page was checked as HTML only"

[ $# -gt 0 ] || set -- ./...
# The timeout is one package's. The longest take two minutes on two quiet cores.
echo "go test $race -timeout 15m $*"
go test $race -timeout 15m "$@"
status=$?

if [ -n "$without" ]; then
  printf 'ran without:\n%s' "$without"
fi
if [ $status -eq 0 ]; then
  echo "all tests passed"
else
  echo "tests failed: the first FAIL above says which"
fi
exit $status
