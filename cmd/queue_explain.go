package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/rq"
)

func (a *app) queueExplainCommand() *cobra.Command {
	var out output
	c := &cobra.Command{
		Use: "explain ID", Short: "Say in a sentence why a job or document is not done", Args: argsBetween(1, 1),
		Long: `Says why a job, docsvc's or any other RQ job, is not done: its place in the queue and when its turn should
come by what its workers started lately, that no worker listens or all are suspended, for when it is
scheduled and by whom, which job it waits for, where it runs and when that gave a sign of life, why it
failed, when it ended, or that its time is over. ID is a job's or a document's. It only reads.
-o json gives the facts that the sentence is made of.`,
		RunE: a.withServices(func(ctx context.Context, s *services, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			x, err := s.explain(ctx, args[0])
			if err != nil {
				return err
			}
			return out.print(a.stdout, x, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, printable(x.Text))
				return err
			})
		}),
	}
	out.add(c)
	return c
}

// explained is what explain prints: of a document's job, both.
type explained struct {
	Text       string                `json:"text"`
	DocumentID string                `json:"document_id,omitempty"`
	Document   *document.Explanation `json:"document,omitempty"`
	Job        *rq.Explanation       `json:"job,omitempty"`
}

func (s *services) explain(ctx context.Context, id string) (*explained, error) {
	job, err := s.queue.Explain(ctx, id)
	if err == nil {
		x := &explained{Text: fmt.Sprintf("Job %s: %s", id, job.Text), Job: job}
		if job.LastEvent != nil {
			x.DocumentID = job.LastEvent.Document
		}
		return x, nil
	}
	if !errors.Is(err, rq.ErrNoJob) {
		return nil, s.redisError(err)
	}
	doc, err := s.documents.Explain(ctx, id)
	var e *document.Error
	switch {
	case errors.As(err, &e) && e.Kind == document.NotFound:
		return nil, &hintError{
			error: fmt.Errorf("nothing is known of %.64q, neither as a job nor as a document: %w", id, rq.ErrNoJob),
			hint:  "it never existed, or its time to be kept is over and nothing is left of it; is this the right Redis? see: docsvc config print",
		}
	case err != nil:
		return nil, s.redisError(err)
	}
	return &explained{Text: fmt.Sprintf("Document %s: %s", id, doc.Text), DocumentID: id, Document: doc}, nil
}
