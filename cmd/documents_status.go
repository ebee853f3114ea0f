package cmd

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/docsvc/docsvc/pkg/client"
	"github.com/docsvc/docsvc/pkg/document"
)

func (a *app) documentsStatusCommand() *cobra.Command {
	var f apiFlags
	var out output
	var wait time.Duration
	c := &cobra.Command{
		Use: "status ID", Short: "Show how far a document is",
		Long: `Shows how far a document is. With --wait it waits until the document is completed,
duplicate, failed or canceled; then the exit status is 1 if it failed or was
canceled, or is none of these when the time is up.`,
		Args: documentIDs(1),
		RunE: a.withAPI(&f, func(ctx context.Context, api *client.Client, args []string) error {
			if wait < 0 {
				return &usageError{message: fmt.Sprintf("--wait %s is negative", wait)}
			}
			if wait > shortPatience {
				api = api.With(wait) // somebody who waits can wait for a server that is restarted, too
			}
			raw, st, err := awaitStatus(ctx, api, args[0], wait)
			if err != nil {
				return err
			}
			if err := out.print(a.stdout, raw, func(w io.Writer) error { return printStatus(w, st) }); err != nil {
				return err
			}
			if wait > 0 && !st.Status.Succeeded() {
				return &silentError{status: exitFailed}
			}
			return nil
		}),
	}
	c.Flags().Var((*waitFlag)(&wait), "wait", "wait at most so long for the document's end, e.g. 60s")
	f.add(c)
	out.add(c)
	return c
}

// awaitStatus asks until the document is final or the time is up: the server
// holds back an answer for a minute at most.
func awaitStatus(ctx context.Context, api *client.Client, id string, wait time.Duration) (json.RawMessage, *document.Status, error) {
	until := time.Now().Add(wait)
	for {
		left := max(0, time.Until(until))
		if left > 0 {
			left = min(max(left, time.Second), time.Minute)
		}
		raw, err := api.RawStatus(ctx, id, left)
		if err != nil {
			return nil, nil, err
		}
		st := new(document.Status)
		if err := json.Unmarshal(raw, st); err != nil {
			return nil, nil, fmt.Errorf("reading the status: %w", err)
		}
		if st.Status.Final() || !time.Now().Before(until) {
			return raw, st, nil
		}
	}
}

func printStatus(w io.Writer, st *document.Status) error {
	var remaining, took, chunks string
	if n := st.EstimatedTimeRemaining; n != nil {
		remaining = (time.Duration(*n) * time.Second).String()
	}
	if s := st.ProcessingTime; s != nil {
		took = fmt.Sprintf("%.1f s", *s)
	}
	if st.TotalChunks > 0 {
		chunks = fmt.Sprintf("%d of %d", st.ChunksProcessed, st.TotalChunks)
	}
	return printFields(w, [][2]string{
		{"document", st.DocumentID}, {"status", string(st.Status)}, {"progress", strconv.Itoa(st.Progress) + "%"}, {"step", st.CurrentStep},
		{"why", st.Explanation}, {"error", text(st.Error)}, {"error code", text(st.ErrorCode)}, {"next attempt", when(st.NextAttemptAt)},
		{"duplicate of", text(st.DuplicateOf)}, {"chunks", chunks}, {"processing time", took}, {"remaining", remaining},
		{"warnings", strings.Join(st.Warnings, "; ")}, {"job", text(st.JobID)}, {"updated", when(&st.UpdatedAt)},
	})
}
