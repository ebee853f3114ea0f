// Package objstore keeps files in one bucket of an S3-compatible store.
//
// A Store has two clients with the same credentials. The internal one makes
// all the calls. The public one makes none: it signs URLs for browsers and
// curl, with the host under which they reach the store, because the host is
// part of the signature and a URL must never be rewritten afterwards. Its
// region is always set, so that signing needs no network.
//
// Permissions needed on the bucket: s3:GetObject, s3:PutObject,
// s3:DeleteObject, s3:ListBucket, and s3:CreateBucket when docsvc is to make
// the bucket itself. Without s3:ListBucket AWS answers 403 where an object is
// missing, which can't be told from a refusal.
//
// Errors: everything that may pass by itself (no connection, 5xx, throttling,
// time-outs) satisfies errors.Is(err, ErrUnavailable) once the client's own
// retries are used up. No error text holds a credential, a signature or a
// presigned URL.
package objstore
