// Package e2e holds no code: its tests build docsvc and run it as users do,
// as processes that are killed, against a separate redis-server and a
// separate S3 server.
package e2e
