// Package standalone runs what `docsvc serve --standalone` needs beside
// docsvc itself: a Redis and an S3 store, both below one data directory, and
// the file by which other docsvc commands find them.
//
// # The data directory
//
//	<dir>/                     mode 0700
//	<dir>/lock                 held (flock) while a server runs; the holder's pid
//	<dir>/engine               which Redis engine the directory belongs to
//	<dir>/redis-password        mode 0600
//	<dir>/s3-credentials        mode 0600, in the form of an AWS credentials file
//	<dir>/ports.json           ports, chosen at the first start
//	<dir>/redis/               append-only file, or snapshots of the in-process engine
//	<dir>/s3/                  objects, see package s3server
//
// # Redis
//
// A redis-server or valkey-server found on PATH runs as a supervised child
// with an append-only file. Otherwise miniredis runs inside the process: made
// for trying docsvc out, up to some ten thousand live keys. It has no
// persistence of its own, so a snapshot is written every few seconds and at
// the end. Which of them began a data directory is recorded there and never
// changed silently, since neither can read what the other wrote.
//
// What a crash can lose: with the child, up to a second when the machine loses
// power, nothing when only docsvc dies; in the process, what came after the
// last snapshot.
//
// # Order
//
// Stop ends S3 first and Redis last, after the caller's own parts have ended:
// a worker that finishes its jobs needs both. The child runs in a process
// group of its own, so that Ctrl-C in a terminal does not reach it before
// docsvc is done, and is told to end by the kernel if docsvc is killed.
package standalone
