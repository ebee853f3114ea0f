#!/bin/sh
# Puts a redis-server below .cache when PATH has none, without installing
# anything: the distribution's package and what it needs are downloaded and
# unpacked there. Prints one line; exits 0 whether or not it could.
set -u
cd "$(dirname "$0")/.." || exit 1
if command -v redis-server >/dev/null 2>&1; then
  echo "redis-server: $(command -v redis-server)"
  exit 0
fi
if [ -x .cache/bin/redis-server ] && .cache/bin/redis-server --version >/dev/null 2>&1; then
  echo "redis-server: .cache/bin/redis-server"
  exit 0
fi
if ! command -v apt-get >/dev/null 2>&1 || ! command -v dpkg >/dev/null 2>&1; then
  echo "redis-server: none on PATH and no apt-get to fetch one with"
  exit 0
fi
root="$PWD/.cache/redis"
mkdir -p "$root/deb" .cache/bin
# Packages redis-server links with; names differ between releases, so ask apt.
packages=$(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances redis-server 2>/dev/null |
  grep -E '^(redis|libhiredis|libjemalloc|liblua|liblzf|libatomic)' | sort -u)
if [ -z "$packages" ]; then
  echo "redis-server: none on PATH and the package lists know none (apt-get update, or install redis)"
  exit 0
fi
(cd "$root/deb" && for p in $packages; do apt-get download "$p" >/dev/null 2>&1 || true; done)
for f in "$root"/deb/*.deb; do
  [ -f "$f" ] && dpkg -x "$f" "$root"
done
bin=$(find "$root/usr/bin" -name redis-server -o -name redis-check-rdb 2>/dev/null | sort | tail -n 1)
libs=$(find "$root" -name '*.so*' -exec dirname {} \; 2>/dev/null | sort -u | paste -sd: -)
if [ -z "$bin" ]; then
  echo "redis-server: could not be downloaded (no network?)"
  exit 0
fi
cat >.cache/bin/redis-server.tmp <<WRAP
#!/bin/sh
LD_LIBRARY_PATH="$libs\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}" exec "$bin" "\$@"
WRAP
chmod +x .cache/bin/redis-server.tmp
if ./.cache/bin/redis-server.tmp --version >/dev/null 2>&1; then
  mv .cache/bin/redis-server.tmp .cache/bin/redis-server
  echo "redis-server: .cache/bin/redis-server (downloaded)"
else
  rm -f .cache/bin/redis-server.tmp
  echo "redis-server: downloaded but it does not start here"
fi
