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
//	docs:unsaved          zset of ids by milliseconds: the bucket lacks the record as it is
//	docs:copying          zset of <id>/<execution> by milliseconds: when that copy was last written
//	docs:copy_again       zset of ids by milliseconds: when its copy is written once more
//	docs:deleted          zset of ids by milliseconds until which they are remembered as deleted
//	docs:removing         zset of deleted ids whose objects may be there, by when to try again
//	docs:accepted         zset of accepted ids by creation: the ledger's list, see ledger.go
//	docs:unaccepted       those failed without ever being accepted; docs:lost: accepted, record gone
//	ledger                hash: counters of what was accepted, deleted, archived, and of foreign changes
//	counts                hash: documents by format, and sums over all records
//	timings               stream: how long the last jobs took, for estimates and Stats
//	usage                 JSON text: what the last listing of the whole bucket measured
//	installation          id that also stands in docsvc.json in the bucket
//	sweep:lock, sweep:cursor, audit:cursor, keep:lock, keep:cursor
//
// Ids are version 7 UUIDs: they sort by creation, in Redis as in a listing of
// the bucket, and every writer knows a document's score from its id.
//
// # Where a record is
//
// Redis has the records of all documents but those that were archived; the
// bucket has those of all that are final, so that they outlive Redis:
//
//	documents/<id>/<execution>/document.json  of a completed document, stored by
//	                                          its run before the commit, never changed
//	documents/<id>/record/document.json       a copy, where the one above is not what
//	                                          the record says: any other end, or changed later
//	documents/<id>/archived/document.json     the record, which Redis has no more
//
// The run stores the record as its commit is going to leave it. Every other
// change of a final record notes its id in docs:unsaved in the same script, and
// Keep, which every worker calls, stores the copy; it takes the id out only
// while the record is as it was read. Keep also moves records older than
// Config.Retention into the archive: copy first, then one script that takes the
// record out as it was read; where that is refused the copy goes again. An
// archived document can be read; what would change it answers archived.
//
// A store may carry out a request that nobody waits for any more: an older copy
// would then stand where a newer one was. So a copy that is written twice within
// 16 minutes is written once more after those, and what was to be archived and
// was not is not tried again within them.
//
// Rebuild makes records of what the bucket has, where Redis has none, or one of
// before the run that completed the document (Redis came from a backup). Of
// several document.json the one of the latest change counts, but a copy that
// names its run counts before it, whatever the clocks of two machines said.
// Fields that this version does not know are stored and rebuilt as they are; a
// file of a newer major version is left alone.
//
// Delete cancels and deletes the job, takes record, indexes, claims and counters
// out in one script that also remembers the id, and then removes the objects.
// Without the job no later retry makes the document again. While the
// id is remembered nothing makes the document again: Rebuild and cleanup
// know, and a worker at it is fenced. Keep removes what could not be removed, and
// looks again when the upload URL has run out an hour ago, for what a client
// or a worker stored late.
//
//	killed or cut off between                 what is left             who goes on
//	an end and its copy                       docs:unsaved             Keep
//	the copy and taking it out of unsaved     the same copy again      Keep
//	the archived copy and the script          copy and record          Keep; Rebuild takes it for archived
//	Delete's script and the objects           docs:removing            Keep
//	one record of a Rebuild and the next      records missing          Rebuild, run again
//
// # What happens when
//
// Redis is unavailable, or out of memory: every call answers Unavailable and
// has changed nothing. The store is unavailable: Process, Text and the like
// answer Unavailable; Presign needs it only to learn whose bucket it is, once.
// Redis was emptied, or is another's: nothing is taken in (records_missing,
// installation_mismatch), which the script looks at that would make the
// record, until Rebuild has made those of the bucket again. A client vanishes
// after Presign: the document becomes failed when the URL has run out.
// Somebody deletes or changes the job with another tool: Sweep notices within
// seconds and enqueues the document again, or makes it follow its job. Somebody
// deletes a record, or an entry of an index: the audit within the sweep puts
// the entry back, or says that the document is lost; see Ledger.
package document
