package document

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/docsvc/docsvc/pkg/objstore"
)

// maxManifest bounds a document.json that is read, in bytes.
const maxManifest = 16 << 20

// manifestKey is where document.json of an execution stands.
func manifestKey(docID, executionID string) string {
	return ArtifactPrefix(docID, executionID) + ManifestName
}

// copyOf is the document.json that saves a record as Redis has it.
func copyOf(d *Document) *Manifest {
	m := &Manifest{
		Schema: schema, DocumentID: d.ID, ExecutionID: d.ExecutionID, Owner: d.Owner, Status: d.Status, DuplicateOf: d.DuplicateOf,
		Filename: d.Filename, Title: d.Title, Description: d.Description, Tags: append([]string{}, d.Tags...), ContentType: d.ContentType,
		UploadID: d.UploadID, JobID: d.JobID, CreatedAt: d.CreatedAt, SavedAt: d.UpdatedAt, StartedAt: d.StartedAt, Attempts: d.Attempts,
		Seconds: float64(d.ProcessingTime.Milliseconds()) / 1000, OriginalKey: d.OriginalKey, SourceKey: d.SourceKey, AllowDuplicate: d.AllowDuplicate,
		ParentID: d.ParentID, Children: d.Children,
		Format: d.Format, MIME: d.MIME, FileSize: d.FileSize, StoredBytes: d.StoredBytes, SHA256: d.SHA256, TextSHA256: d.TextSHA256,
		Metadata: Metadata{Title: d.TextTitle, Author: d.Author, Language: d.Language},
		Pages:    d.Pages, Words: d.Words, Chunks: d.TotalChunks, TextBytes: d.TextBytes,
		Partial: d.Partial, FailedPages: d.FailedPages, Warnings: d.Warnings, Extractor: d.Extractor, Record: filled(d.hash),
	}
	if d.Status == Completed {
		m.ProcessedAt = d.FinishedAt
	}
	return m
}

// filled leaves out the empty fields of a record: they read as missing ones.
func filled(hash map[string]string) map[string]string {
	m := maps.Clone(hash)
	maps.DeleteFunc(m, func(_, text string) bool { return text == "" })
	return m
}

// putManifest stores a copy of a record.
func (s *Service) putManifest(ctx context.Context, key string, m *Manifest) error {
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding %s: %w", key, err)
	}
	b = append(b, '\n')
	_, err = s.store.Put(ctx, key, bytes.NewReader(b), int64(len(b)), objstore.PutOptions{ContentType: "application/json"})
	return storageError("storing "+key, err)
}

// readManifest reads a document.json of the document. The error wraps
// objstore.ErrNotFound when it isn't there, and is an *Error of kind Internal
// when it can't be read or is of a newer docsvc.
func (s *Service) readManifest(ctx context.Context, id, key string) (*Manifest, error) {
	body, _, err := s.store.Get(ctx, key, objstore.GetOptions{})
	if err != nil {
		return nil, storageError("reading "+key, err)
	}
	defer func() { _ = body.Close() }()
	b, err := io.ReadAll(io.LimitReader(body, maxManifest+1))
	if err != nil {
		return nil, storageError("reading "+key, err)
	}
	damaged := func(err error) error {
		return &Error{Kind: Internal, Code: CodeCorruptRecord, Err: err,
			Detail: fmt.Sprintf("The saved record %s can't be read: %v. Restore it from a backup of the bucket.", key, err)}
	}
	var version struct {
		Schema string `json:"schema"`
	}
	if len(b) > maxManifest {
		return nil, damaged(fmt.Errorf("it has more than %d bytes", maxManifest))
	}
	if err := json.Unmarshal(b, &version); err != nil {
		return nil, damaged(err)
	}
	if major, _, _ := strings.Cut(version.Schema, "."); major != schema {
		return nil, newerSchema(id, version.Schema)
	}
	m := new(Manifest)
	if err := json.Unmarshal(b, m); err != nil {
		return nil, damaged(err)
	}
	if m.DocumentID != id {
		return nil, damaged(fmt.Errorf("it is of document %.64q", m.DocumentID))
	}
	return m, nil
}

// stamp is when the record was as the file says: of several files of a
// document the latest counts.
func (m *Manifest) stamp() time.Time {
	if !m.SavedAt.IsZero() {
		return m.SavedAt
	}
	return m.ProcessedAt
}

// document is the record that the file holds.
func (m *Manifest) document() (*Document, error) {
	hash := m.Record
	if len(hash) == 0 {
		hash = m.oldRecord()
	}
	d, err := parse(m.DocumentID, hash)
	if isNotFound(err) {
		return nil, &Error{Kind: Internal, Code: CodeCorruptRecord, Detail: fmt.Sprintf("The saved record of document %s has no status.", m.DocumentID)}
	}
	if err != nil {
		return nil, err
	}
	d.ArchivedAt = m.ArchivedAt
	return d, nil
}

// oldRecord makes the record of a document.json that was written before the
// file held it: always that of a completed document. What it does not tell
// is taken for what it mostly is.
func (m *Manifest) oldRecord() map[string]string {
	began := m.ProcessedAt.Add(-time.Duration(m.Seconds * float64(time.Second)))
	fields := append(learned(m), m.ending()...)
	fields = append(fields, "schema", m.Schema, "status", string(Completed), "owner", m.Owner, "created_at", stamp(m.CreatedAt),
		"filename", m.Filename, "title", m.Title, "description", m.Description, "tags", list(m.Tags), "content_type", m.ContentType,
		"file_size", strconv.FormatInt(m.FileSize, 10), "upload_id", m.UploadID, "upload_key", UploadKey(m.DocumentID, m.UploadID),
		"upload_expires_at", stamp(m.CreatedAt), "s3_file_deleted", "1", "job_id", m.JobID, "allow_duplicate", flag(m.AllowDuplicate),
		"queued_at", stamp(began), "started_at", stamp(began), "attempts", "1", "updated_at", stamp(m.ProcessedAt))
	hash := map[string]string{}
	for i := 0; i < len(fields); i += 2 {
		hash[fields[i]] = fields[i+1]
	}
	return filled(hash)
}

// milliseconds of a number of seconds, as the record has them.
func milliseconds(seconds float64) string {
	return strconv.FormatInt(int64(math.Round(seconds*1000)), 10)
}

// isGone reports whether err says that there is no such object.
func isGone(err error) bool { return errors.Is(err, objstore.ErrNotFound) }
