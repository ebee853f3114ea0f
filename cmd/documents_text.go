package cmd

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/docsvc/docsvc/pkg/client"
)

func (a *app) documentsTextCommand() *cobra.Command {
	var f apiFlags
	var out string
	c := &cobra.Command{
		Use: "text ID", Short: "Print a document's text, Markdown in UTF-8", Args: documentIDs(1),
		RunE: a.withAPI(&f, func(ctx context.Context, api *client.Client, args []string) error {
			if out == "" {
				w := bufio.NewWriter(a.stdout)
				if err := api.Text(ctx, args[0], w); err != nil {
					return err
				}
				return w.Flush()
			}
			return writeWhole(out, func(w io.Writer) error { return api.Text(ctx, args[0], w) })
		}),
	}
	c.Flags().StringVar(&out, "out", "", "write it to this file")
	f.add(c)
	return c
}

// writeWhole makes or replaces a file when all of it is there: a reader never
// finds half of it.
func writeWhole(path string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".docsvc-*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if err := write(f); err != nil {
		return err
	}
	if err := f.Chmod(0o644); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}
