package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/docsvc/docsvc/pkg/client"
)

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
	return a.confirm(ctx, os.Stdin, question)
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
