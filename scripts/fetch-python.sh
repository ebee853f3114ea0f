#!/bin/sh
# Makes a Python environment with RQ below .cache for the tests that compare
# docsvc with it, where python3 and a package index can be reached. Nothing is
# installed outside .cache. Prints one line; exits 0 whether or not it could.
#
#   scripts/fetch-python.sh                            .cache/venv with rq
#   scripts/fetch-python.sh NAME PACKAGE==VERSION...   .cache/venv-NAME with those
set -u
cd "$(dirname "$0")/.." || exit 1
venv="$PWD/.cache/venv"
what="python with rq"
if [ $# -gt 0 ]; then
  venv="$venv-$1"
  what="python with $1"
  shift
else
  set -- rq==2.12.0
fi
wanted="$*"
lock="$venv.lock"
log="$venv.log"

say() { echo "$what: $1"; exit 0; }
# shellcheck disable=SC2086 # the packages are words
ready() {
  "$venv/bin/python" -c 'import sys
from importlib.metadata import version
sys.exit(any(version(name) != v for name, v in (w.split("==") for w in sys.argv[1:])))' $wanted >/dev/null 2>&1
}
here=".cache/${venv##*/}/bin/python"

ready && say "$here ($wanted)"
command -v python3 >/dev/null 2>&1 || say "none: no python3 on PATH"
mkdir -p .cache || say "could not write below .cache"

# One at a time: the directory is the lock and names its owner; that of a
# process which is gone, or died before writing its name, is broken.
waited=0
until mkdir "$lock" 2>/dev/null; do
  owner=$(cat "$lock/pid" 2>/dev/null)
  if if [ -n "$owner" ]; then ! kill -0 "$owner" 2>/dev/null; else [ "$waited" -ge 5 ]; fi; then
    mv "$lock" "$lock.stale.$$" 2>/dev/null && rm -rf "$lock.stale.$$"
    continue
  fi
  [ "$waited" -ge 180 ] && say "could not wait for another fetch (pid ${owner:-unknown})"
  sleep 1
  waited=$((waited + 1))
done
echo "$$" >"$lock/pid"
trap 'rm -rf "$lock"' EXIT
trap 'exit 0' INT TERM HUP
ready && say "$here ($wanted)"

pip_options="--quiet --disable-pip-version-check --no-input --timeout 20 --retries 4"
# shellcheck disable=SC2086 # the options are words
with_venv() {
  python3 -m venv "$venv" && "$venv/bin/python" -m pip install $pip_options $wanted
}
# Distributions that ship venv without ensurepip: the system's pip, if there
# is one, puts the packages into the environment.
# shellcheck disable=SC2086
with_system_pip() {
  python3 -m venv --without-pip "$venv" &&
    python3 -m pip install $pip_options --target "$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" $wanted
}
# shellcheck disable=SC2086
with_virtualenv() {
  python3 -m virtualenv --quiet "$venv" && "$venv/bin/python" -m pip install $pip_options $wanted
}

: >"$log"
for way in with_venv with_system_pip with_virtualenv; do
  rm -rf "$venv"
  if $way >>"$log" 2>&1 && ready; then
    rm -f "$log"
    say "$here ($wanted, downloaded)"
  fi
done
rm -rf "$venv"
say "$wanted could not be installed (no package index, or no venv and pip; see .cache/${log##*/})"
