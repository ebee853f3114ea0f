#!/bin/sh
# Puts a tesseract with English and Portuguese below .cache when PATH has none,
# without installing anything: the distribution's packages and what they need
# beyond what is installed are downloaded and unpacked there. Prints one line;
# exits 0 whether or not it could.
set -u
cd "$(dirname "$0")/.." || exit 1
if command -v tesseract >/dev/null 2>&1; then
  echo "tesseract: $(command -v tesseract)"
  exit 0
fi
if [ -x .cache/tesseract/bin/tesseract ] && .cache/tesseract/bin/tesseract --version >/dev/null 2>&1; then
  echo "tesseract: .cache/tesseract/bin/tesseract"
  exit 0
fi
if ! command -v apt-get >/dev/null 2>&1 || ! command -v dpkg >/dev/null 2>&1; then
  echo "tesseract: none on PATH and no apt-get to fetch one with"
  exit 0
fi
root="$PWD/.cache/tesseract"
mkdir -p "$root/deb" "$root/bin"
packages=$(apt-get install -s --no-install-recommends tesseract-ocr tesseract-ocr-eng tesseract-ocr-por 2>/dev/null | awk '$1 == "Inst" {print $2}')
if [ -z "$packages" ]; then
  echo "tesseract: none on PATH and the package lists know none (apt-get update, or install tesseract-ocr)"
  exit 0
fi
(cd "$root/deb" && for p in $packages; do apt-get download "$p" >/dev/null 2>&1 || true; done)
for f in "$root"/deb/*.deb; do
  [ -f "$f" ] && dpkg -x "$f" "$root"
done
rm -rf "$root/deb"
libs=$(find "$root" -name '*.so*' -exec dirname {} \; 2>/dev/null | sort -u | paste -sd: -)
data=$(find "$root" -name eng.traineddata -exec dirname {} \; 2>/dev/null | head -n 1)
if [ ! -x "$root/usr/bin/tesseract" ] || [ -z "$data" ]; then
  echo "tesseract: could not be downloaded (no network?)"
  exit 0
fi
cat >"$root/bin/tesseract.tmp" <<WRAP
#!/bin/sh
TESSDATA_PREFIX="\${TESSDATA_PREFIX:-$data}" LD_LIBRARY_PATH="$libs\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}" exec "$root/usr/bin/tesseract" "\$@"
WRAP
chmod +x "$root/bin/tesseract.tmp"
if "$root/bin/tesseract.tmp" --version >/dev/null 2>&1; then
  mv "$root/bin/tesseract.tmp" "$root/bin/tesseract"
  echo "tesseract: .cache/tesseract/bin/tesseract (downloaded)"
else
  rm -f "$root/bin/tesseract.tmp"
  echo "tesseract: downloaded but it does not start here"
fi
