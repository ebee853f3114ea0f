package document

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"mime"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/rq"
)

// fieldsAtATime is how many fields one HSET of a script takes.
const fieldsAtATime = 150

// one does what is to be done for a document, and returns where to count it.
// An error of kind Internal is about this document alone.
func (b *rebuild) one(ctx context.Context, g *remains) (*int64, error) {
	r := &b.report
	hash, deleted, err := b.known(ctx, g.id)
	switch {
	case err != nil:
		return nil, err
	case deleted:
		return &r.Deleted, nil
	case len(hash) > 0:
		return b.present(ctx, g, hash)
	case g.tooMany:
		g.reason = fmt.Sprintf("more than %d executions have a %s", maxManifests, ManifestName)
		return &r.Failed, nil
	case len(g.manifests) == 0 && g.upload == nil:
		g.reason = "no " + ManifestName + ": no run of it came to its end"
		return &r.Incomplete, nil
	case len(g.manifests) == 0:
		return b.made(&r.RecordLost, b.lost(ctx, g))
	}
	m, place, err := b.latest(ctx, g)
	if err != nil {
		return nil, err
	}
	if place == ArchivedExecution && !b.o.Archived && b.o.ID == "" {
		return &r.Archived, nil
	}
	d, err := m.document()
	if err != nil {
		return nil, err
	}
	switch {
	case !d.Status.Final():
		g.reason = fmt.Sprintf("its saved record says %s", d.Status)
		return &r.Failed, nil
	case d.Status == Completed && !g.has(d.ExecutionID):
		g.reason = "its record is there, but not its text (" + manifestKey(g.id, d.ExecutionID) + ")"
		return &r.Incomplete, nil
	}
	if place == ArchivedExecution {
		d.hash["restored_at"] = stamp(b.s.c.Clock())
	}
	// What is not in the bucket just so is noted as unsaved.
	same := place != ArchivedExecution && len(m.Record) > 0
	return b.made(nil, b.make(ctx, d, same))
}

// made counts a record that was made, also in another counter. One that
// somebody else made meanwhile is present.
func (b *rebuild) made(also *int64, err error) (*int64, error) {
	var raced *rq.ConditionError
	if errors.As(err, &raced) {
		return &b.report.Present, nil
	}
	if err == nil && also != nil {
		b.mu.Lock()
		*also++
		b.mu.Unlock()
	}
	return &b.report.Rebuilt, err
}

// known reads what Redis has of a document: its record, and whether it was
// deleted.
func (b *rebuild) known(ctx context.Context, id string) (hash map[string]string, deleted bool, err error) {
	pipe := b.s.rdb.Pipeline()
	record := pipe.HGetAll(ctx, b.s.k.document(id))
	tombstone := pipe.ZScore(ctx, b.s.k.deleted(), id)
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return nil, false, redisError("reading document "+id, err)
	}
	return record.Val(), tombstone.Err() == nil, nil
}

// latest reads the document's document.json that counts, and says of which
// execution it is. Of the copies of a record the latest counts, and of the
// runs as well. Between the two, a copy that names its run does: it was made
// after that run's commit, whatever the clocks say. A copy of another state
// may be from before the run, or the run may never have been committed: then
// the later one counts.
func (b *rebuild) latest(ctx context.Context, g *remains) (best *Manifest, place string, err error) {
	var run, copied *Manifest
	var runPlace, copyPlace string
	for _, execution := range g.manifests {
		m, err := b.s.readManifest(ctx, g.id, manifestKey(g.id, execution))
		switch {
		case isGone(err): // removed since it was listed
		case err != nil:
			return nil, "", err
		case execution != RecordExecution && execution != ArchivedExecution:
			if run == nil || m.stamp().After(run.stamp()) {
				run, runPlace = m, execution
			}
		case copied == nil || m.after(copied):
			copied, copyPlace = m, execution
		}
	}
	switch {
	case run == nil && copied == nil:
		return nil, "", &Error{Kind: Internal, Code: CodeArtifactMissing, Detail: "Its objects were removed meanwhile."}
	case run == nil, copied != nil && copied.ExecutionID != "" && g.has(copied.ExecutionID):
		return copied, copyPlace, nil
	case copied == nil, run.stamp().After(copied.stamp()):
		return run, runPlace, nil
	}
	return copied, copyPlace, nil
}

// after reports whether the copy m is of a later time than n. A record was the
// same when it was archived and when it was brought back: then that decides.
func (m *Manifest) after(n *Manifest) bool {
	if !m.stamp().Equal(n.stamp()) {
		return m.stamp().After(n.stamp())
	}
	return m.moved().After(n.moved())
}

// moved is when the record was last moved out of Redis or back.
func (m *Manifest) moved() time.Time {
	back, _ := time.Parse(time.RFC3339Nano, m.Record["restored_at"])
	if m.ArchivedAt.After(back) {
		return m.ArchivedAt
	}
	return back
}

// make writes the record of a document that has none.
func (b *rebuild) make(ctx context.Context, d *Document, saved bool) error {
	if b.o.DryRun {
		return nil
	}
	if len(d.Tags) > MaxTags {
		return &Error{Kind: Internal, Code: CodeCorruptRecord, Detail: fmt.Sprintf(
			"The saved record of document %s has %d tags; at most %d are possible.", d.ID, len(d.Tags), MaxTags)}
	}
	s, now := b.s, b.s.c.Clock()
	hash := maps.Clone(d.hash)
	if d.Status.Succeeded() && hash["stored_bytes"] == "" {
		hash["stored_bytes"], d.wasCounted = "0", true
	}
	e := &effects{k: s.k, id: d.ID, jobID: d.JobID, at: now, made: true}
	var fields []string
	for _, field := range slices.Sorted(maps.Keys(hash)) {
		fields = append(fields, field, hash[field])
	}
	for part := range slices.Chunk(fields, 2*fieldsAtATime) {
		e.add(rq.HSet(s.k.document(d.ID), part...))
	}
	s.index(e, d)
	e.count(d.counted(), 1)
	if d.SourceKey == "" && !d.UploadRemoved && d.UploadID != "" {
		e.add(rq.HSet(s.k.upload(d.UploadID), uploadFields(d)...))
	}
	if !saved {
		e.unsaved()
	}
	return redisError("making the record of document "+d.ID, s.queue.Apply(ctx, s.unknown(d.ID), e.list, event(d.ID, "", d.Status, "rebuilt")))
}

// index writes a record's place in all indexes, and its claims where nobody
// has them.
func (s *Service) index(e *effects, d *Document) {
	at := score(d.ID, d.CreatedAt)
	e.add(rq.ZAdd(s.k.all(), at, d.ID))
	e.add(rq.ZAdd(s.k.byState(d.Status), at, d.ID))
	e.add(rq.ZAdd(s.k.byOwner(d.Owner), at, d.ID))
	for _, tag := range d.Tags {
		e.add(rq.ZAdd(s.k.byTag(tag), at, d.ID))
	}
	expires := float64(d.UploadExpiresAt.UnixMilli())
	switch {
	case d.Status == AwaitingUpload:
		e.add(rq.ZAdd(s.k.openUploads(), expires, d.ID))
	case d.Status == Failed && d.ErrorCode == CodeUploadExpired && !d.UploadRemoved:
		e.add(rq.ZAdd(s.k.expiredUploads(), expires, d.ID))
	}
	if d.Status == Completed && !d.Partial {
		for _, key := range s.claims(d, &Manifest{SHA256: d.SHA256, TextSHA256: d.TextSHA256}) {
			e.add(rq.SetNX(key, d.ID))
		}
	} else if d.UploadHash != "" && d.ErrorCode != CodeUploadExpired {
		e.add(rq.SetNX(s.k.file(d.Owner, d.UploadHash), d.ID))
	}
	if d.SourceKey != "" && d.Status != Failed && d.Status != Canceled {
		e.add(rq.SetNX(s.k.object(d.SourceKey), d.ID))
	}
}

// lost makes the record of a document of which only the upload is left.
func (b *rebuild) lost(ctx context.Context, g *remains) error {
	s, now := b.s, b.s.c.Clock().UTC().Truncate(time.Millisecond)
	object, err := s.store.Stat(ctx, g.upload.Key)
	if isGone(err) {
		return &Error{Kind: Internal, Code: CodeUploadGone, Detail: "Its upload was removed meanwhile."}
	}
	if err != nil {
		return storageError("looking at "+g.upload.Key, err)
	}
	created := g.upload.LastModified.UTC().Truncate(time.Millisecond)
	if madeHere(g.id) {
		created = time.UnixMilli(int64(score(g.id, created))).UTC()
	}
	d := &Document{ID: g.id, Owner: DefaultOwner, Status: Failed, CreatedAt: created, UpdatedAt: now,
		Filename: filenameOf(object.Disposition, g.id), ContentType: declaredType(object.ContentType), FileSize: object.Size,
		UploadID: g.uploadID, UploadKey: g.upload.Key, UploadExpiresAt: created.Add(s.c.UploadTTL), JobID: uuid.NewString()}
	text := "Redis lost the record of this document, and its upload was found in the bucket: what was said of it with the upload is not known any more. Ask for processing."
	e := &effects{k: s.k, id: d.ID, jobID: d.JobID, at: now, made: true}
	e.list = append(s.creation(d), rq.HSet(s.k.document(d.ID), "upload_key", d.UploadKey, "upload_expires_at", stamp(d.UploadExpiresAt),
		"queued_at", "", "error", text, "error_code", CodeRecordLost, "finished_at", stamp(now)))
	e.add(rq.HSet(s.k.upload(d.UploadID), uploadFields(d)...))
	e.unsaved()
	if b.o.DryRun {
		return nil
	}
	return redisError("making the record of document "+d.ID, s.queue.Apply(ctx, s.unknown(d.ID), e.list, event(d.ID, "", Failed, CodeRecordLost)))
}

// uploadFields are the fields of an upload's own hash.
func uploadFields(d *Document) []string {
	return []string{"schema", schema, "owner", d.Owner, "document_id", d.ID, "key", d.UploadKey,
		"created_at", stamp(d.CreatedAt), "expires_at", stamp(d.UploadExpiresAt)}
}

// filenameOf is the name that an upload came with.
func filenameOf(disposition, otherwise string) string {
	_, params, err := mime.ParseMediaType(disposition)
	if err != nil {
		return otherwise
	}
	name := params["filename"]
	if cut := strings.LastIndexAny(name, `/\`); cut >= 0 {
		name = name[cut+1:]
	}
	return cmp.Or(shorten(name, 255), otherwise)
}

// declaredType is the type of an upload, "" when it is what an HTTP client
// says that was told nothing.
func declaredType(contentType string) string {
	switch kind, _, err := mime.ParseMediaType(contentType); {
	case err != nil, kind == "application/x-www-form-urlencoded", kind == "binary/octet-stream":
		return ""
	}
	return shorten(contentType, maxContentType)
}
