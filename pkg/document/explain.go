package document

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/docsvc/docsvc/pkg/objstore"
	"github.com/docsvc/docsvc/pkg/rq"
)

// Explanation is why a document is not done, or when it was and how it ended.
type Explanation struct {
	DocumentID string          `json:"document_id"`
	Status     State           `json:"status,omitempty"`
	Text       string          `json:"text"` // one sentence with the evidence
	Job        *rq.Explanation `json:"job"`  // null without one
}

// Explain says why a document is not done, with the evidence. It only reads.
// Errors: NotFound when nothing tells of such a document, Unavailable.
func (s *Service) Explain(ctx context.Context, id string) (*Explanation, error) {
	d, err := s.Get(ctx, id)
	if isNotFound(err) {
		return s.explainDeleted(ctx, id, err)
	}
	if err != nil {
		return nil, err
	}
	x := &Explanation{DocumentID: id, Status: d.Status}
	if !d.QueuedAt.IsZero() && d.ArchivedAt.IsZero() {
		x.Job, err = s.queue.Explain(ctx, d.JobID)
		if err != nil && !errors.Is(err, rq.ErrNoJob) {
			return nil, redisError("explaining document "+id, err)
		}
	}
	switch {
	case !d.ArchivedAt.IsZero():
		x.Text = fmt.Sprintf("It is %s; its record was moved into the bucket at %s.", d.Status, moment(d.ArchivedAt))
	case d.Status == AwaitingUpload:
		x.Text, err = s.explainUpload(ctx, d)
	case d.Status == Completed:
		x.Text = fmt.Sprintf("It was completed at %s, after %s.", moment(d.FinishedAt), d.ProcessingTime.Round(time.Millisecond))
	case d.Status == Duplicate:
		x.Text = fmt.Sprintf("It was found at %s to be the same as document %s.", moment(d.FinishedAt), d.DuplicateOf)
	case d.Status == Failed:
		x.Text = explainFailure(d)
	case d.Status == Canceled:
		x.Text = fmt.Sprintf("It was canceled at %s; asking for processing again starts it again.", moment(d.FinishedAt))
	case x.Job == nil:
		x.Text = fmt.Sprintf("It is %s, but its job %s is gone from the queue: a docsvc worker enqueues it again within a minute.", d.Status, d.JobID)
	default:
		x.Text = x.Job.Text
		if d.Status.Working() {
			x.Text = fmt.Sprintf("It is %s (%d%%, %s). %s", d.Status, d.Progress, cmp.Or(d.CurrentStep, "no step yet"), x.Job.Text)
		}
	}
	return x, err
}

func moment(t time.Time) string {
	if t.IsZero() {
		return "an unknown time"
	}
	return t.UTC().Format(time.RFC3339)
}

// explainUpload looks whether the file came and nobody asked for processing.
func (s *Service) explainUpload(ctx context.Context, d *Document) (string, error) {
	expired := d.UploadExpiresAt.Before(s.c.Clock())
	object, err := s.store.Stat(ctx, d.UploadKey)
	switch {
	case err == nil && !expired:
		return fmt.Sprintf("Its file is there (%d bytes), but nobody has asked for processing; until %s: POST /api/v1/documents/%s/process.",
			object.Size, moment(d.UploadExpiresAt), d.ID), nil
	case err != nil && !errors.Is(err, objstore.ErrNotFound):
		return "", storageError("looking for the upload of document "+d.ID, err)
	case expired:
		return fmt.Sprintf("Its upload URL ran out at %s before processing was asked for: it becomes failed as soon as a docsvc worker looks.", moment(d.UploadExpiresAt)), nil
	}
	return fmt.Sprintf("Its file has not come yet; the upload URL works until %s.", moment(d.UploadExpiresAt)), nil
}

func explainFailure(d *Document) string {
	text := fmt.Sprintf("It failed at %s after %d attempts: %s", moment(d.FinishedAt), d.Attempts, d.Error)
	if d.Attempts == 1 {
		text = fmt.Sprintf("It failed at %s: %s", moment(d.FinishedAt), d.Error)
	}
	if d.ErrorCode != "" {
		text += " (" + d.ErrorCode + ")"
	}
	if d.UploadRemoved {
		return text + "; its file is removed: upload it as a new document."
	}
	return text + "; its file is kept, so that asking for processing again tries it again."
}

// explainDeleted tells of a document whose files are still being removed.
func (s *Service) explainDeleted(ctx context.Context, id string, missing error) (*Explanation, error) {
	gone, err := s.wasDeleted(ctx, id)
	if err != nil {
		return nil, err
	}
	if !gone {
		return nil, missing
	}
	return &Explanation{DocumentID: id, Text: "It was deleted; its files are being removed."}, nil
}
