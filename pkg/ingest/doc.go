// Package ingest brings files into docsvc through its HTTP API: each once,
// and each again only as far as it isn't there yet.
//
// For every file: its size and name tell whether it can be taken in at all;
// its sha256 is computed; the server says what it knows of these bytes. What
// is there is left alone; what is being worked on is only waited for; what
// awaits its upload is uploaded under the same document; the rest is
// announced, uploaded and processed. So a run that ended early, however it
// ended, is brought to its end by the same run again.
//
// Uploads go on while the server works: Options.Parallel files are read and
// sent at a time, and as many of the oldest documents are waited for. When the
// context ends, uploads in flight are broken off, except that a file which has
// arrived is still handed over for processing.
//
// Nothing is printed: Options.Watch is told what happens.
package ingest
