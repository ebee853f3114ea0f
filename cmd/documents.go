package cmd

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/docsvc/docsvc/pkg/client"
	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/ingest"
)

func (a *app) documentsCommand() *cobra.Command {
	c := group("documents", "Look at documents, read, delete and rebuild them",
		a.documentsListCommand(), a.documentsGetCommand(), a.documentsStatusCommand(), a.documentsTextCommand(),
		a.documentsDeleteCommand(), a.documentsStatsCommand(), a.documentsUsageCommand(), a.documentsRebuildCommand())
	c.Long = "Looks at documents, reads and deletes them, and makes their records again (rebuild).\n" +
		apiHelp + "\nrebuild alone talks to Redis and storage itself."
	return c
}

var documentID = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// documentIDs takes arguments that are ids of documents.
func documentIDs(most int) cobra.PositionalArgs {
	count := argsBetween(1, most)
	return func(c *cobra.Command, args []string) error {
		if err := count(c, args); err != nil {
			return err
		}
		for _, id := range args {
			if !documentID.MatchString(id) {
				return &usageError{message: fmt.Sprintf("%q is not the id of a document", id), hint: "ids are listed by: docsvc documents list"}
			}
		}
		return nil
	}
}

func (a *app) documentsGetCommand() *cobra.Command {
	var f apiFlags
	var out output
	c := &cobra.Command{
		Use: "get ID", Short: "Show a document's record", Args: documentIDs(1),
		RunE: a.withAPI(&f, func(ctx context.Context, api *client.Client, args []string) error {
			d, err := api.Get(ctx, args[0])
			if err != nil {
				return err
			}
			return out.print(a.stdout, d, func(w io.Writer) error { return printDocument(w, &d.Document) })
		}),
	}
	f.add(c)
	out.add(c)
	return c
}

func printDocument(w io.Writer, d *document.Document) error {
	text := "-"
	if d.Format != "" {
		text = fmt.Sprintf("%s, %d pages, %d words, %d chunks, %s of text", d.Format, d.Pages, d.Words, d.TotalChunks, ingest.Bytes(d.TextBytes))
	}
	return printFields(w, [][2]string{
		{"document", d.ID}, {"status", string(d.Status)}, {"step", d.CurrentStep}, {"error", d.Error}, {"error code", d.ErrorCode},
		{"duplicate of", d.DuplicateOf}, {"file", d.Filename}, {"object", d.SourceKey}, {"size", ingest.Bytes(d.FileSize)},
		{"title", d.Title}, {"description", d.Description}, {"tags", strings.Join(d.Tags, ", ")}, {"content", text},
		{"language", d.Language}, {"warnings", strings.Join(d.Warnings, "; ")}, {"sha256", d.SHA256}, {"job", d.JobID},
		{"created", when(&d.CreatedAt)}, {"queued", when(&d.QueuedAt)}, {"finished", when(&d.FinishedAt)}, {"archived", when(&d.ArchivedAt)},
	})
}

// printFields writes the fields that have a value.
func printFields(w io.Writer, fields [][2]string) error {
	var rows [][]string
	for _, f := range fields {
		if f[1] != "" && f[1] != "-" {
			rows = append(rows, []string{f[0], f[1]})
		}
	}
	return table(w, []string{"FIELD", "VALUE"}, rows)
}

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
	c.Flags().DurationVar(&wait, "wait", 0, "wait at most so long for the document's end, e.g. 60s")
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
		{"error", text(st.Error)}, {"error code", text(st.ErrorCode)}, {"next attempt", when(st.NextAttemptAt)},
		{"duplicate of", text(st.DuplicateOf)}, {"chunks", chunks}, {"processing time", took}, {"remaining", remaining},
		{"warnings", strings.Join(st.Warnings, "; ")}, {"job", text(st.JobID)}, {"updated", when(&st.UpdatedAt)},
	})
}

func (a *app) documentsDeleteCommand() *cobra.Command {
	var f apiFlags
	var yes bool
	c := &cobra.Command{
		Use: "delete ID...", Short: "Delete documents with their texts, chunks and uploads",
		Long: `Deletes documents: record, text, chunks, upload and a kept original. What is being
processed is ended first. An object that was taken in with s3:// stays. It can't
be undone: it asks on a terminal, and needs --yes elsewhere.

Exit status: 0 all are deleted, 1 some could not be, 3 some were not there.`,
		Args: documentIDs(-1),
		RunE: a.withAPI(&f, func(ctx context.Context, api *client.Client, args []string) error {
			ids := slices.Clone(args)
			slices.Sort(ids)
			ids = slices.Compact(ids)
			if !yes {
				if err := a.confirmDelete(ctx, api, ids); err != nil {
					return err
				}
			}
			return a.deleteAll(ctx, api, ids)
		}),
	}
	c.Flags().BoolVar(&yes, "yes", false, "don't ask")
	f.add(c)
	return c
}

// confirmDelete asks a person, who sees the names.
func (a *app) confirmDelete(ctx context.Context, api *client.Client, ids []string) error {
	if !terminal(os.Stdin) || !terminal(a.stderr) {
		return &usageError{message: "deleting can't be undone, and there is no terminal to ask on", hint: "add --yes if it is meant"}
	}
	for i, id := range ids {
		if i == 10 && len(ids) > 11 {
			fmt.Fprintf(a.stderr, "and %d more\n", len(ids)-i)
			break
		}
		d, err := api.Get(ctx, id)
		if client.IsNotFound(err) {
			fmt.Fprintf(a.stderr, "%s  not there\n", id)
			continue
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(a.stderr, "%s  %s  %s\n", id, d.Status, printable(d.Filename))
	}
	question := "Delete this document and all that was made of it?"
	if len(ids) > 1 {
		question = fmt.Sprintf("Delete these %d documents and all that was made of them?", len(ids))
	}
	fmt.Fprintf(a.stderr, "%s [y/N] ", question)
	answer := make(chan string, 1)
	go func() { // ends with the process: a read of a terminal can't be broken off
		line, _ := bufio.NewReader(os.Stdin).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case said := <-answer:
		if said == "y" || said == "yes" {
			return nil
		}
	}
	return errors.New("nothing was deleted")
}

func (a *app) deleteAll(ctx context.Context, api *client.Client, ids []string) error {
	missing, failed := 0, 0
	for i, id := range ids {
		err := api.Delete(ctx, id)
		switch {
		case err == nil:
			if _, err := fmt.Fprintln(a.stdout, "deleted", id); err != nil {
				return fmt.Errorf("printing: %w", err)
			}
		case ctx.Err() != nil:
			fmt.Fprintf(a.stderr, "docsvc: interrupted after %d of %d\n", i, len(ids))
			return err
		case client.IsNotFound(err):
			missing++
			fmt.Fprintf(a.stderr, "docsvc: there is no document %s\n", id)
		default:
			failed++
			fmt.Fprintf(a.stderr, "docsvc: deleting document %s: %v\n", id, err)
		}
		var unreachable *client.UnreachableError
		if errors.As(err, &unreachable) {
			break
		}
	}
	switch {
	case failed > 0:
		return &silentError{status: exitFailed}
	case missing > 0:
		return &silentError{status: exitNotFound}
	}
	return nil
}
