package document

import (
	"errors"
	"fmt"

	"github.com/docsvc/docsvc/pkg/objstore"
	"github.com/docsvc/docsvc/pkg/rq"
)

// Kind is what an Error means for whoever asked.
type Kind int

// The kinds, with the HTTP status that the API answers.
const (
	Internal    Kind = iota // 500
	Invalid                 // 422: Field says which
	NotFound                // 404
	Conflict                // 409: the state does not allow it
	Gone                    // 410: it was there and was removed
	Unavailable             // 503: Redis or storage; try again later
)

// The codes of Error, stable for programs.
const (
	CodeInvalid            = "invalid"               // Invalid: a field of the request
	CodeUnsupportedType    = "unsupported_type"      // Invalid: content_type
	CodeWrongUpload        = "wrong_upload_id"       // Invalid: upload_id
	CodeDocumentNotFound   = "document_not_found"    // NotFound
	CodeNoThumbnail        = "no_thumbnail"          // NotFound: of the document there is no picture
	CodeUploadMissing      = "upload_missing"        // Conflict: nothing was uploaded yet
	CodeSizeMismatch       = "size_mismatch"         // Conflict: DeclaredSize, ActualSize
	CodeUploadExpired      = "upload_expired"        // Conflict, and error_code of such a document
	CodeUploadGone         = "upload_gone"           // Conflict, and error_code: the file was removed
	CodeObjectNotFound     = "object_not_found"      // NotFound: the object to be taken in
	CodeObjectMissing      = "object_missing"        // Conflict, and error_code: the object of a document is not there
	CodeNotReady           = "not_ready"             // Conflict: no text yet, or never; State says which
	CodeOtherJob           = "other_job"             // Conflict: another job works on the document
	CodeBusy               = "busy"                  // Conflict: changed too often while trying
	CodeOriginalRemoved    = "original_removed"      // Gone: storage.keep_original is off, or the object was changed
	CodeDuplicateGone      = "duplicate_gone"        // Gone: the document that this is a duplicate of
	CodeArtifactMissing    = "artifact_missing"      // Internal: record without its objects
	CodeNewerSchema        = "newer_schema"          // Internal: a newer docsvc wrote the record
	CodeCorruptRecord      = "corrupt_record"        // Internal
	CodeStorageUnavailable = "storage_unavailable"   // Unavailable
	CodeQueueUnavailable   = "queue_unavailable"     // Unavailable
	CodeArchived           = "archived"              // Conflict: the record was moved out of Redis
	CodeOtherInstallation  = "installation_mismatch" // Conflict: bucket and Redis are not of one installation
	CodeRecordsMissing     = "records_missing"       // Conflict: Redis is empty, the bucket is not
)

// Codes that a document's error_code has besides CodeUploadExpired,
// CodeUploadGone and those of extraction.
const (
	CodeRecordLost = "record_lost" // only its upload was left; see Rebuild
	CodeTooLarge   = "too_large"   // an object is larger than what is taken
	CodeJobLost    = "job_lost"    // its job vanished from the queue again and again
	CodeWorkerDied = "worker_died" // its worker died, too often to go on
	CodeFailed     = "failed"      // nothing more is known
)

// Error is what the service answers where the caller can do something about it.
type Error struct {
	Kind   Kind
	Code   string
	Field  string // JSON name of the field, for Invalid
	Detail string // a sentence for people, with what to do next
	State  State  // of the document, for Conflict
	// DeclaredSize and ActualSize are set for CodeSizeMismatch, in bytes.
	DeclaredSize, ActualSize int64
	Err                      error // the cause, for logs
}

func (e *Error) Error() string { return e.Detail }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func invalid(field, format string, args ...any) *Error {
	return &Error{Kind: Invalid, Code: CodeInvalid, Field: field, Detail: fmt.Sprintf(format, args...)}
}

func notFound(id string) *Error {
	return &Error{Kind: NotFound, Code: CodeDocumentNotFound, Detail: fmt.Sprintf("There is no document %s.", printable(id))}
}

// isNotFound reports whether err says that there is no such document.
func isNotFound(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == NotFound
}

// printable bounds what a client sent before it is shown again.
func printable(text string) string { return fmt.Sprintf("%.64q", text) }

// redisError gives an error of Redis its kind.
func redisError(doing string, err error) error {
	var own *Error
	if err == nil || errors.As(err, &own) {
		return err
	}
	err = fmt.Errorf("%s: %w", doing, err)
	if rq.IsFull(err) {
		return &Error{Kind: Unavailable, Code: CodeQueueUnavailable, Err: err,
			Detail: "The queue's memory is full and takes nothing in at the moment. Nothing was changed; try again when its operator has made room."}
	}
	if rq.IsUnavailable(err) {
		return &Error{Kind: Unavailable, Code: CodeQueueUnavailable, Err: err,
			Detail: "The queue can't be reached or takes nothing in at the moment. Nothing was changed; try again."}
	}
	return err
}

// storageError gives an error of the store its kind.
func storageError(doing string, err error) error {
	var own *Error
	if err == nil || errors.As(err, &own) {
		return err
	}
	err = fmt.Errorf("%s: %w", doing, err)
	if errors.Is(err, objstore.ErrUnavailable) {
		return &Error{Kind: Unavailable, Code: CodeStorageUnavailable, Err: err,
			Detail: "The storage can't be reached at the moment. Nothing was changed; try again."}
	}
	return err
}
