#!/bin/sh
# Measures listing, searching and changing documents beside 1,000 and beside
# 1,000,000 of them, on a redis-server of its own, and prints a Markdown table.
# It takes a few minutes and 3 GB of memory. Other numbers of documents, from
# 100 on: scripts/bench-documents.sh 1000,20000
set -eu
cd "$(dirname "$0")/.."
scripts/fetch-redis.sh >&2
BENCH_DOCUMENTS=${1:-1000,1000000} exec go test ./pkg/document -run '^TestCatalogAtScale$' -v -count=1 -timeout 60m
