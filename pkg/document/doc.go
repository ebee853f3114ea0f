// Package document takes documents in and answers for them: records, uploads
// and indexes in Redis, files in the store, and one processing job each.
//
//	           presign            process, job enqueued      worker
//	(nothing) ───────▶ awaiting_upload ───────▶ uploaded ───────▶ extracting ▶ checking_duplicates ▶ chunking
//	                        │  URL ran out       ▲   ▲  retry, recovery  │                              │
//	                        ▼                    │   └───────────────────┴──────────────────────────────┤
//	                      failed ◀───────────────┼── permanent failure, no retries left ────────────────┤
//	                        └── process, retry ──┤                                                      │
//	                     canceled ◀── cancel ────┘                              completed, duplicate ◀───┘
//
// A document of an object that is in the bucket already (TakeObject, or a
// docsvc.process_object job) begins as uploaded. The object is only read.
//
// # Who changes a record
//
// A record changes together with its job, in the same script: Effects is given
// to the queue's client and adds the writes to every transition. What a worker
// finds out comes with its finish: Complete and Duplicate. Everything else
// (Presign, the sweep, cleanup) goes through rq.Client.Apply. Each write is
// guarded: a record that was deleted is never made again, and only the job
// that the record names changes it. A document has one job for life, with an
// id of its own that is chosen with the record; running it again is a requeue.
//
// # Keys
//
// Below the namespace ("docsvc:"):
//
//	doc:<id>              hash: the record, see Document
//	upload:<upload id>    hash: one upload; deleted with its object
//	docs                  zset of ids by milliseconds of creation
//	docs:status:<status>  the same, per status; also docs:tag:<tag>, docs:owner:<owner>
//	uploads:open          zset of ids by the time their URL runs out: awaiting_upload
//	uploads:expired       likewise: failed as upload_expired, object perhaps still there
//	sha256:<owner>:<sum>  id of the completed document with these bytes
//	text:<owner>:<sum>    id of the completed document with this text
//	file:<owner>:<sum>    id of the document whose upload was last announced with these bytes
//	object:<sum>          id of the document last made of the object whose key has this sha256
//	password:<id>         the password of an encrypted file, with a time to live
//	timings               stream: how long the last jobs took, for estimates and Stats
//	usage                 JSON text: what the last listing of the whole bucket measured
//	installation          id that also stands in docsvc.json in the bucket
//	sweep:lock, sweep:cursor
//
// Ids are version 7 UUIDs: they sort by creation, in Redis as in a listing of
// the bucket, and every writer knows a document's score from its id.
//
// # What happens when
//
// Redis is unavailable, or out of memory: every call answers Unavailable and
// has changed nothing. The store is unavailable: Process, Text and the like
// answer Unavailable; Presign needs no store. A client vanishes after Presign:
// the document becomes failed when the URL has run out. Somebody deletes or
// changes the job with another tool: Sweep notices within seconds and enqueues
// the document again, or makes it follow its job.
package document
