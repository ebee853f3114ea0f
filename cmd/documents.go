package cmd

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"strings"

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
		{"duplicate of", d.DuplicateOf}, {"file", d.Filename}, {"object", d.SourceKey}, {"attached to", d.ParentID}, {"attachments", strings.Join(d.Children, ", ")}, {"size", ingest.Bytes(d.FileSize)},
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
