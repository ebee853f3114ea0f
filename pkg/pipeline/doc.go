// Package pipeline processes documents: it is the handler of the functions
// docsvc.process_document(document_id) and docsvc.process_object(key,
// title=None, tags=None, sha256=None). The second makes a document of an object
// of the bucket, which it only reads; the rest is the same.
//
//	fetch ──> seen these bytes? ──> extract ──> seen this text? ──> chunk ──> store ──> commit
//	  │             │ duplicate       │              │ duplicate                          │
//	  └─ pinned ETag or version       └─ in a child process                               └─ in the finish script
//
// The upload is read once, by the ETag or version that was pinned when
// processing was asked for, into a file of the work directory, and hashed on
// the way. Artifacts (text.md, chunks.jsonl, thumbnail.png, and last document.json) are
// written below documents/<document>/<execution>/, where nobody looks until
// the finish script has written that execution's id into the record: that is
// the commit. Both looks for duplicates before it only save work; the
// decision falls in the same script, by claiming the hashes.
//
// Attachments of mails, where they are to become documents (Config.Attachments),
// are taken out after extraction, in a child process, into the work directory. Before
// the mail's artifacts are stored each is put where an upload would be, and then made
// a document by package document, which makes it once.
//
// # Killed anywhere and run again, it ends the same
//
//	killed                                   what is left                  who removes it
//	before the commit                        files of the work directory   the next pipeline that starts there
//	                                         an uncommitted prefix         cleanup
//	                                         documents of attachments      nobody: the next run finds them
//	                                         an attachment's upload alone  the next run's, else cleanup
//	between commit and removal of the upload the upload                    cleanup
//
// document.json holds the record as the commit is going to leave it, so that it
// can be made again. Copies of the record beside the executions (see package
// document) are nobody's leftovers: they stay.
//
// An execution that was fenced removes its own artifacts, after a look at the
// record: a finish whose acknowledgement was lost looks like a fenced one. None
// removes another's: were Redis to forget a commit (a failover, a power
// failure), another might hold the job again, and commit what it has stored.
// The upload is removed only after an accepted commit or duplicate; a failed
// document keeps it, so that it can be processed again.
//
// # Result
//
// The job's return value is a dict:
//
//	document_id   text
//	status        "completed" or "duplicate"
//	duplicate_of  text; only with "duplicate". The numbers are that document's then
//	pages         int, 0 when the format has no pages
//	chunks        int
//	words         int
//	seconds       float, from the start of this execution
//
// # Failures
//
// The codes, by the worker.Class of their failures:
//
//	permanent  bad_arguments, document_not_found and others of package document,
//	           upload_gone, upload_changed, object_missing, object_changed,
//	           hash_mismatch, chunking; those of package extract/block, but for
//	resource   timeout, memory and crash
//	transient  extractor_unavailable; newer_schema, corrupt_record and others
//	           that package document calls Internal
//	waiting    storage_unavailable, queue_unavailable, disk_full,
//	           installation_mismatch, records_missing: they hold for every
//	           document, so that no retries are spent
package pipeline
