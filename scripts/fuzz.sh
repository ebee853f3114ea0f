#!/bin/sh
# Runs every fuzz target for FUZZTIME (10s); arguments are packages, default all
# that have one. What fails is kept below the package's testdata/fuzz and from
# then on part of its tests.
set -u
cd "$(dirname "$0")/.." || exit 1
status=0
packages=$*
[ -n "$packages" ] || packages=$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u)
for package in $packages; do
  for target in $(sed -n 's/^func \(Fuzz[A-Za-z0-9]*\)(.*/\1/p' "$package"/*_test.go); do
    echo "== $package $target"
    go test "$package" -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-10s}" || status=1
  done
done
[ $status -eq 0 ] && echo "nothing found" || echo "a target failed: its input stands below testdata/fuzz of the package"
exit $status
