// Package s3server is the S3 store of `docsvc serve --standalone`: objects in
// files below one directory, served over the part of the S3 API that docsvc
// and ordinary S3 clients use (put, multipart, get with ranges and conditions,
// head, copy, list, delete, presigned URLs). Requests without a valid
// signature of the one key pair are refused.
//
// The protocol (routes, XML, conditions) is github.com/rclone/gofakes3. In
// front of it (front.go, payload.go) every signature and every payload digest
// is checked, which gofakes3 does in part only; behind it lies the disk
// backend.
//
// # On disk
//
//	<dir>/format                          layout version
//	<dir>/buckets/<bucket>/objects/...    one file per object, see path.go, object.go
//	<dir>/uploads/<upload id>/            parts of multipart uploads in progress
//	<dir>/tmp/                            bodies that are still being received
//
// # Durability
//
// A write is answered when the object's file, with its metadata inside it, and
// every directory above it have been synced. Files appear by rename, so that a
// reader sees the old object or the new one and never a part. What a crash
// leaves in tmp and uploads is removed at the next start; a multipart upload
// that was not completed before a restart must be begun again.
//
// The directory belongs to one server at a time; the caller holds a lock.
package s3server
