#!/bin/sh
# make demo: builds docsvc and the demo and runs it. Says something while it
# builds, and leaves nothing in the temporary directory, also after a Ctrl-C.
set -eu
bin=$1
work=$PWD/.cache/build.$$
ticker=""

# finish ends the ticker and removes what an interrupted go build leaves.
finish() {
  if [ -n "$ticker" ]; then
    kill "$ticker" 2>/dev/null || true
    wait "$ticker" 2>/dev/null || true
    ticker=""
  fi
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir -p "$work"

# tick prints a dot every two seconds for as long as this script lives.
tick() {
  nap=""
  dots=""
  trap '[ -z "$nap" ] || kill "$nap" 2>/dev/null; [ -z "$dots" ] || echo; exit' TERM
  while kill -0 $$ 2>/dev/null; do
    sleep 2 &
    nap=$!
    wait "$nap"
    printf .
    dots=yes
  done
}

echo "building docsvc (the first time takes a minute or more)"
tick &
ticker=$!
export GOTMPDIR="$work" CGO_ENABLED=0
"${GO:-go}" build -trimpath -ldflags "${LDFLAGS:-}" -o "$bin" .
"${GO:-go}" build -trimpath -o bin/demo ./scripts/demo
finish
trap - EXIT
unset GOTMPDIR
exec ./bin/demo -docsvc "$bin"
