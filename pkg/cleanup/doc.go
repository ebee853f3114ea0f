// Package cleanup removes from the store what nobody will ask for any more.
//
//	expired_uploads  documents whose upload URL ran out unprocessed become
//	                 failed, code upload_expired, and their objects go.
//	s3_cleanup       objects below temp/ older than a limit go, unless their
//	                 document is queued, scheduled, in work or kept for a retry.
//	orphaned_files   objects below temp/ without a record, and artifacts that no
//	                 record names, older than a limit, go. A complete document
//	                 without a record is reported: it can be rebuilt. Completed
//	                 records without their objects are reported. An archived
//	                 document has its record among its objects: all of it stays.
//	                 It also measures what is left, for GET /documents/usage.
//	daily            the three, in this order.
//
// # What makes it safe
//
// It refuses to run when bucket and Redis are not of one installation, or Redis
// is empty and the bucket is not: from there every object looks orphaned.
//
// An upload is removed in two steps. First a script notes in the record that
// the upload is about to go, and only if record and job still are as they were
// when this was decided. From then on process answers that the file is gone
// and cannot enqueue the document. Then the object is deleted. A run that dies
// between the two leaves an object whose removal is noted, which the next run
// deletes; a request that came first leaves the object alone.
//
// Records are read after the listing that named the object, never before it,
// so an object that is younger than its record is not taken for an orphan.
// Everything can be repeated, run twice at once and canceled anywhere. Memory
// holds one page of a listing, or one document's objects.
package cleanup
