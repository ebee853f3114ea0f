#!/bin/sh
# Puts a valkey-server below .cache when PATH has none, without installing
# anything: the distribution's package, or that of its backports, and what it
# needs are downloaded and unpacked there; apt's own lists stay as they are.
# Prints one line; exits 0 whether or not it could.
set -u
cd "$(dirname "$0")/.." || exit 1
if command -v valkey-server >/dev/null 2>&1; then
  echo "valkey-server: $(command -v valkey-server)"
  exit 0
fi
if [ -x .cache/bin/valkey-server ] && .cache/bin/valkey-server --version >/dev/null 2>&1; then
  echo "valkey-server: .cache/bin/valkey-server"
  exit 0
fi
if ! command -v apt-get >/dev/null 2>&1 || ! command -v dpkg >/dev/null 2>&1; then
  echo "valkey-server: none on PATH and no apt-get to fetch one with"
  exit 0
fi
root="$PWD/.cache/valkey"
# A failed attempt is not repeated for a day: every run of the tests asks.
if [ -n "$(find "$root/failed" -mmin -1440 2>/dev/null)" ]; then
  echo "valkey-server: could not be downloaded within the last day (rm -r .cache/valkey to try again)"
  exit 0
fi
mkdir -p "$root/deb" "$root/lists/partial" "$root/archives/partial" .cache/bin

# The mirror that apt uses for this release has its backports, too.
codename=$(. /etc/os-release 2>/dev/null && echo "${VERSION_CODENAME:-}")
# shellcheck disable=SC2016  # the format is apt's
repo=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Identifier: Packages' 2>/dev/null |
  awk -v r="$codename" '$2 == r && $3 == "main" { print $1; exit }')
if [ -n "$repo" ]; then
  for suite in "$codename" "$codename-backports"; do
    echo "deb $repo $suite main"
  done >"$root/sources.list"
  apt() {
    timeout 60 apt-get -qq -o Dir::Etc::SourceList="$root/sources.list" -o Dir::Etc::SourceParts=/dev/null \
      -o Dir::State::Lists="$root/lists" -o Dir::Cache="$root" -o Acquire::Languages=none -o Acquire::Retries=0 "$@"
  }
  apt update >/dev/null 2>&1
  for p in valkey-server valkey-tools libjemalloc2 liblzf1 libhiredis0.14 libhiredis1.1.0 liblua5.1-0 lua-bitop lua-cjson libssl3; do
    (cd "$root/deb" && apt -t "$codename-backports" download "$p" >/dev/null 2>&1) || true
  done
fi
for f in "$root"/deb/*.deb; do
  [ -f "$f" ] && dpkg -x "$f" "$root"
done
rm -rf "$root/lists" "$root/archives" "$root/deb" "$root"/*.bin
bin="$root/usr/bin/valkey-server"
if [ ! -x "$bin" ]; then
  touch "$root/failed"
  echo "valkey-server: could not be downloaded (no network, or no such package for this release)"
  exit 0
fi
libs=$(find "$root" -name '*.so*' -exec dirname {} \; 2>/dev/null | sort -u | paste -sd: -)
cat >.cache/bin/valkey-server.tmp <<WRAP
#!/bin/sh
LD_LIBRARY_PATH="$libs\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}" exec "$bin" "\$@"
WRAP
chmod +x .cache/bin/valkey-server.tmp
if ./.cache/bin/valkey-server.tmp --version >/dev/null 2>&1; then
  mv .cache/bin/valkey-server.tmp .cache/bin/valkey-server
  echo "valkey-server: .cache/bin/valkey-server (downloaded)"
else
  rm -f .cache/bin/valkey-server.tmp
  touch "$root/failed"
  echo "valkey-server: downloaded but it does not start here"
fi
