#!/bin/sh
# gofmt, go vet, staticcheck (a module of its own below scripts/lint), go.mod
# tidiness and the syntax of every shell script.
set -eu
cd "$(dirname "$0")/.."

unformatted=$(gofmt -l main.go cmd pkg scripts)
if [ -n "$unformatted" ]; then
  echo "gofmt would change:"
  echo "$unformatted"
  exit 1
fi
go vet ./...
go tool -modfile=scripts/lint/go.mod staticcheck ./...
# Asks for modules that only the tests of modules need, so not for every run.
[ "${CI:-}" = true ] && go mod tidy -diff
for f in scripts/*.sh .ci/run; do
  sh -n "$f" || { echo "$f: not valid shell"; exit 1; }
done
echo "lint: nothing to say"
