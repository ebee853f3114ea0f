package cmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/docsvc/docsvc/pkg/client"
)

func (a *app) documentsTextCommand() *cobra.Command {
	var f apiFlags
	var out string
	c := &cobra.Command{
		Use: "text ID", Short: "Print a document's text, Markdown in UTF-8", Args: documentIDs(1),
		PreRunE: func(c *cobra.Command, _ []string) error {
			if c.Flags().Changed("out") && out == "" {
				return &usageError{message: "--out is empty", hint: "is a variable of the shell not set?"}
			}
			return nil
		},
		RunE: a.withAPI(&f, func(ctx context.Context, api *client.Client, args []string) error {
			write := func(w io.Writer) error { return api.Text(ctx, args[0], w) }
			if out != "" && out != "-" && out != "/dev/stdout" {
				return writeWhole(ctx, out, write)
			}
			w := bufio.NewWriter(a.stdout)
			if err := write(w); err != nil {
				return err
			}
			return w.Flush()
		}),
	}
	c.Flags().StringVar(&out, "out", "", "write it to this file; - is stdout")
	f.add(c)
	return c
}

// writeWhole makes or replaces a file when all of it is there: a reader never
// finds half of it. A link is followed and a file keeps its mode; what exists
// and is no regular file, such as a pipe, is written to as it is.
func writeWhole(ctx context.Context, path string, write func(io.Writer) error) error {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return fmt.Errorf("%s is a directory", path)
	case err == nil && (!info.Mode().IsRegular() || ofProcess(path)):
		return writeInPlace(ctx, path, write)
	case err == nil:
		path, err = filepath.EvalSymlinks(path)
	case errors.Is(err, fs.ErrNotExist):
		info = nil
		path, err = linked(path)
	}
	if err != nil {
		return notWritten(path, err)
	}
	unfinished := filepath.Join(filepath.Dir(path), ".docsvc-"+uuid.NewString()+".tmp")
	f, err := os.OpenFile(unfinished, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return notWritten(path, err)
	}
	err = write(f)
	if err == nil && info != nil {
		err = f.Chmod(info.Mode().Perm())
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(unfinished, path)
	}
	if err != nil {
		_ = os.Remove(unfinished)
		return notWritten(path, err)
	}
	return nil
}

// ofProcess reports whether a path stands for an open file of a process, whose
// name is not the thing to replace.
func ofProcess(path string) bool {
	abs, err := filepath.Abs(path)
	return err == nil && (strings.HasPrefix(abs, "/dev/") || strings.HasPrefix(abs, "/proc/"))
}

// writeInPlace writes to what is there. The opening of a pipe waits for its
// reader.
func writeInPlace(ctx context.Context, path string, write func(io.Writer) error) error {
	var f *os.File
	var err error
	opened := make(chan struct{})
	go func() {
		defer close(opened)
		f, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	}()
	select {
	case <-opened:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err != nil {
		return notWritten(path, err)
	}
	err = write(f)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return notWritten(path, err)
}

// linked follows links that lead to nothing yet.
func linked(path string) (string, error) {
	for range 40 {
		to, err := os.Readlink(path)
		if err != nil {
			return path, nil
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(path), to)
		}
		path = to
	}
	return path, errors.New("too many links")
}

// notWritten puts the name that was given into errors of the file system, and
// leaves others as they are.
func notWritten(path string, err error) error {
	var file *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &file):
		err = file.Err
	case errors.As(err, &link):
		err = link.Err
	default:
		return err
	}
	return fmt.Errorf("writing %s: %w", path, err)
}
