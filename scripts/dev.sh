#!/bin/sh
# make dev: serve, on a configured Redis when there is one, else with an
# embedded Redis and S3 and no worker, so that "make worker" has its part.
set -eu
bin=$1
shift
if [ -n "${REDIS_URL:-}${DOCSVC_REDIS_URL:-}" ] || [ -f docsvc.yaml ] || [ -f /etc/docsvc/docsvc.yaml ]; then
  exec "./$bin" serve "$@"
fi
exec "./$bin" serve --standalone --without-worker "$@"
