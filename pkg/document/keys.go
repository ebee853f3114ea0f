package document

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/google/uuid"
)

// DefaultOwner owns every document: API keys have no owners of their own.
const DefaultOwner = "default"

// Names of the objects of one execution.
const (
	TextName      = "text.md"
	ChunksName    = "chunks.jsonl"
	ThumbnailName = "thumbnail.png" // of PDFs and images only
	ManifestName  = "document.json" // written last: its presence means complete
	OriginalName  = "original"
)

// Places in DocumentPrefix where a record is saved that is not an execution's
// own: see Keep.
const (
	RecordExecution   = "record"   // as Redis has it
	ArchivedExecution = "archived" // as Redis had it before it was moved out
)

// Prefixes of all uploads and of all documents in the store.
const (
	UploadsPrefix   = "temp/"
	DocumentsPrefix = "documents/"
)

// OwnKeys are how the keys of docsvc's own objects begin, below the store's
// prefix.
func OwnKeys() []string { return []string{UploadsPrefix, DocumentsPrefix, installationObject} }

// UploadKey is where an upload goes.
func UploadKey(docID, uploadID string) string { return UploadsPrefix + docID + "/" + uploadID }

// DocumentPrefix is where all executions of a document write.
func DocumentPrefix(docID string) string { return DocumentsPrefix + docID + "/" }

// ArtifactPrefix is where one execution writes.
func ArtifactPrefix(docID, executionID string) string {
	return DocumentPrefix(docID) + executionID + "/"
}

// OriginalKey is where a kept original goes.
func OriginalKey(docID, executionID string) string {
	return ArtifactPrefix(docID, executionID) + OriginalName
}

// ParseUploadKey takes the key of an upload apart.
func ParseUploadKey(key string) (docID, uploadID string, ok bool) {
	rest, ok := strings.CutPrefix(key, UploadsPrefix)
	if !ok {
		return "", "", false
	}
	docID, uploadID, ok = strings.Cut(rest, "/")
	return docID, uploadID, ok && validID(docID) && uploadID != ""
}

// ParseArtifactKey takes the key of an artifact apart.
func ParseArtifactKey(key string) (docID, executionID, name string, ok bool) {
	rest, ok := strings.CutPrefix(key, DocumentsPrefix)
	if !ok {
		return "", "", "", false
	}
	docID, rest, _ = strings.Cut(rest, "/")
	executionID, name, ok = strings.Cut(rest, "/")
	return docID, executionID, name, ok && validID(docID) && executionID != "" && name != ""
}

// validID reports whether id is a UUID as docsvc writes it.
func validID(id string) bool {
	u, err := uuid.Parse(id)
	return err == nil && u.String() == id
}

// keys makes the names of all keys below a namespace such as "docsvc:".
type keys struct{ ns string }

func (k keys) document(id string) string { return k.ns + "doc:" + id }
func (k keys) upload(id string) string   { return k.ns + "upload:" + id }
func (k keys) password(id string) string { return k.ns + "password:" + id }

// Sorted sets of document ids, scored by the milliseconds of their creation.
func (k keys) all() string                { return k.ns + "docs" }
func (k keys) byState(s State) string     { return k.ns + "docs:status:" + string(s) }
func (k keys) byTag(tag string) string    { return k.ns + "docs:tag:" + tag }
func (k keys) byOwner(name string) string { return k.ns + "docs:owner:" + name }

// Sorted sets of document ids, scored by the milliseconds at which their URL
// runs out: those waiting for their upload, and those whose object may have to
// be removed because it came too late or was never processed.
func (k keys) openUploads() string    { return k.ns + "uploads:open" }
func (k keys) expiredUploads() string { return k.ns + "uploads:expired" }

// Claims: the document that has these bytes, or this text.
func (k keys) sha256(owner, sum string) string { return k.ns + "sha256:" + owner + ":" + sum }
func (k keys) text(owner, sum string) string   { return k.ns + "text:" + owner + ":" + sum }

// file names the document whose upload was last announced with this sha256,
// while the claim sha256 has none: it awaits its upload, is in work, or did
// not become completed.
func (k keys) file(owner, sum string) string { return k.ns + "file:" + owner + ":" + sum }

// object names the document that was last made of this object of the bucket.
// Keys may be long and hold anything, so their hash stands for them.
func (k keys) object(key string) string {
	sum := sha256.Sum256([]byte(key))
	return k.ns + "object:" + hex.EncodeToString(sum[:])
}

// unsaved are the documents whose record the bucket does not have yet as it
// is, scored by the milliseconds at which to look; see Keep. deleted are those
// that were deleted, by the milliseconds until which they are remembered: no
// upload can arrive any more then, and no worker be at work. removing are
// those of them whose objects may still be there, by when to try again.
func (k keys) unsaved() string  { return k.ns + "docs:unsaved" }
func (k keys) deleted() string  { return k.ns + "docs:deleted" }
func (k keys) removing() string { return k.ns + "docs:removing" }

// copying are copies of records (copyName) that were written or removed within
// lateAnswers, by the milliseconds of when; copyAgain are the documents whose
// copy is written once more, by when.
func (k keys) copying() string   { return k.ns + "docs:copying" }
func (k keys) copyAgain() string { return k.ns + "docs:copy_again" }

// ledger is a hash of counters of what was accepted and what left; see
// ledger.go. accepted are the documents that it must find again, unaccepted
// those that failed without ever being accepted, by the milliseconds of their
// creation, and lost those of the accepted whose record is gone, by when that
// was found.
func (k keys) ledger() string     { return k.ns + "ledger" }
func (k keys) accepted() string   { return k.ns + "docs:accepted" }
func (k keys) unaccepted() string { return k.ns + "docs:unaccepted" }
func (k keys) lost() string       { return k.ns + "docs:lost" }

// counts is a hash of sums over all records; see counts.go.
func (k keys) counts() string { return k.ns + "counts" }

// usage is a JSON text: what the last listing of the bucket measured.
func (k keys) usage() string { return k.ns + "usage" }

// timings is a stream with one entry per finished job, for estimates.
func (k keys) timings() string { return k.ns + "timings" }

func (k keys) installation() string { return k.ns + "installation" }
func (k keys) sweepLock() string    { return k.ns + "sweep:lock" }
func (k keys) sweepCursor() string  { return k.ns + "sweep:cursor" }
func (k keys) auditCursor() string  { return k.ns + "audit:cursor" }
func (k keys) keepLock() string     { return k.ns + "keep:lock" }
func (k keys) keepCursor() string   { return k.ns + "keep:cursor" }
func (k keys) events() string       { return k.ns + "events" }
