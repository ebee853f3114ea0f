#!/bin/sh
# Makes a Python environment with RQ below .cache for the tests that compare
# docsvc with it, where python3 and a package index can be reached. Nothing is
# installed outside .cache. Prints one line; exits 0 whether or not it could.
set -u
cd "$(dirname "$0")/.." || exit 1
version=2.12.0
venv="$PWD/.cache/venv"
lock="$PWD/.cache/venv.lock"
log="$PWD/.cache/venv.log"

say() { echo "python with rq: $1"; exit 0; }
ready() { "$venv/bin/python" -c "import rq, sys; sys.exit(rq.VERSION != '$version')" >/dev/null 2>&1; }

ready && say ".cache/venv/bin/python (rq $version)"
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
ready && say ".cache/venv/bin/python (rq $version)"

pip_options="--quiet --disable-pip-version-check --no-input --timeout 15 --retries 1"
# shellcheck disable=SC2086 # the options are words
with_venv() {
  python3 -m venv "$venv" && "$venv/bin/python" -m pip install $pip_options "rq==$version"
}
# Distributions that ship venv without ensurepip: the system's pip, if there
# is one, puts the packages into the environment.
# shellcheck disable=SC2086
with_system_pip() {
  python3 -m venv --without-pip "$venv" &&
    python3 -m pip install $pip_options --target "$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" "rq==$version"
}
# shellcheck disable=SC2086
with_virtualenv() {
  python3 -m virtualenv --quiet "$venv" && "$venv/bin/python" -m pip install $pip_options "rq==$version"
}

: >"$log"
for way in with_venv with_system_pip with_virtualenv; do
  rm -rf "$venv"
  if $way >>"$log" 2>&1 && ready; then
    rm -f "$log"
    say ".cache/venv/bin/python (rq $version, downloaded)"
  fi
done
rm -rf "$venv"
say "rq $version could not be installed (no package index, or no venv and pip; see .cache/venv.log)"
