package cmd

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/mattn/go-runewidth"
	"github.com/spf13/cobra"

	"github.com/docsvc/docsvc/pkg/client"
	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/ingest"
)

// pageSize is the most that the API gives at a time.
const pageSize = 100

func (a *app) documentsListCommand() *cobra.Command {
	var f apiFlags
	var out output
	var q client.ListQuery
	var limit int
	var all bool
	c := &cobra.Command{
		Use: "list", Short: "List documents, newest first",
		Long: `Lists documents, newest first. --search finds those where each word of it begins a
word of the title or the file name. A long list is printed as it comes.`,
		Args: noArgs,
		RunE: a.withAPI(&f, func(ctx context.Context, api *client.Client, _ []string) error {
			if limit < 1 {
				return &usageError{message: fmt.Sprintf("--limit %d is not a number of documents", limit), hint: "use --all for all of them"}
			}
			if q.Status != "" && !slices.Contains(stateNames(), q.Status) {
				return &usageError{message: fmt.Sprintf("--status %s is not one of %s", q.Status, strings.Join(stateNames(), ", "))}
			}
			if all {
				limit = 0
			}
			w, err := newListWriter(out.format, a.stdout)
			if err != nil {
				return err
			}
			more, err := listDocuments(ctx, api, q, limit, w)
			if err == nil && more {
				fmt.Fprintln(a.stderr, "docsvc: there are more: --limit N shows more of them, --all shows all")
			}
			return err
		}),
	}
	c.Flags().StringVar(&q.Status, "status", "", "only those of this status: "+strings.Join(stateNames(), ", "))
	c.Flags().StringVar(&q.Tag, "tag", "", "only those with this tag")
	c.Flags().StringVar(&q.Search, "search", "", "only those with these words in title or file name")
	c.Flags().IntVar(&limit, "limit", 20, "how many at most")
	c.Flags().BoolVar(&all, "all", false, "all of them")
	exclusive(c, "limit", "all")
	_ = c.RegisterFlagCompletionFunc("status", cobra.FixedCompletions(stateNames(), cobra.ShellCompDirectiveNoFileComp))
	f.add(c)
	out.add(c)
	return c
}

func stateNames() []string {
	var names []string
	for _, s := range document.States() {
		names = append(names, string(s))
	}
	return names
}

// listDocuments follows the pages until limit documents were written, 0 for
// all. What was begun is always ended, so that the output can be parsed.
func listDocuments(ctx context.Context, api *client.Client, q client.ListQuery, limit int, w *listWriter) (more bool, err error) {
	var page *client.Page
	for n := 0; ; {
		q.Limit = pageSize
		if limit > 0 {
			q.Limit = min(pageSize, limit-n)
		}
		var next *client.Page
		if next, err = api.List(ctx, q); err != nil {
			break
		}
		page = next
		n += len(page.Documents)
		if err = w.page(page.Documents); err != nil {
			return false, err
		}
		q.Cursor = page.NextCursor
		if q.Cursor == "" || limit > 0 && n >= limit {
			break
		}
	}
	if page != nil {
		if endErr := w.end(q.Cursor, page.Total); err == nil {
			err = endErr
		}
	}
	return q.Cursor != "" && err == nil, err
}

// listWriter writes documents page by page: a million of them don't fit into
// memory. Its JSON and YAML are that of the API, with the pages joined.
type listWriter struct {
	format string
	w      io.Writer
	n      int
}

func newListWriter(format string, w io.Writer) (*listWriter, error) {
	switch format {
	case "table", "json", "yaml":
		return &listWriter{format: format, w: w}, nil
	}
	return nil, &usageError{message: fmt.Sprintf("-o %s is not one of table, json, yaml", format)}
}

func (l *listWriter) page(docs []client.Record) error {
	var b bytes.Buffer
	for i := range docs {
		if err := l.document(&b, &docs[i]); err != nil {
			return err
		}
		l.n++
	}
	_, err := l.w.Write(b.Bytes())
	return err
}

func (l *listWriter) document(b *bytes.Buffer, d *client.Record) error {
	switch l.format {
	case "json":
		if l.n == 0 {
			b.WriteString("{\n  \"documents\": [\n    ")
		} else {
			b.WriteString(",\n    ")
		}
		return json.Indent(b, d.Raw, "    ", "  ")
	case "yaml":
		var one bytes.Buffer
		if err := (&output{format: "yaml"}).print(&one, map[string]any{"documents": []any{d}}, nil); err != nil {
			return err
		}
		text := one.String()
		if l.n > 0 {
			_, text, _ = strings.Cut(text, "\n")
		}
		b.WriteString(text)
	default:
		if l.n == 0 {
			fmt.Fprintf(b, "%-36s  %-19s  %-20s  %10s  %s\n", "DOCUMENT", "STATUS", "CREATED", "SIZE", "FILE")
		}
		name := printable(d.Filename)
		if d.Title != "" {
			name = runewidth.Truncate(name, 60, "...") + " (" + printable(d.Title) + ")"
		}
		fmt.Fprintf(b, "%-36s  %-19s  %-20s  %10s  %s\n", d.ID, d.Status, when(&d.CreatedAt), ingest.Bytes(d.FileSize), name)
	}
	return nil
}

// end closes what was begun.
func (l *listWriter) end(cursor string, total *int64) error {
	next, sum := "null", "null"
	if cursor != "" {
		text, err := json.Marshal(cursor)
		if err != nil {
			return err
		}
		next = string(text)
	}
	if total != nil {
		sum = fmt.Sprint(*total)
	}
	var err error
	switch {
	case l.format == "json" && l.n == 0:
		_, err = fmt.Fprintf(l.w, "{\n  \"documents\": [],\n  \"next_cursor\": %s,\n  \"total\": %s\n}\n", next, sum)
	case l.format == "json":
		_, err = fmt.Fprintf(l.w, "\n  ],\n  \"next_cursor\": %s,\n  \"total\": %s\n}\n", next, sum)
	case l.format == "yaml" && l.n == 0:
		_, err = fmt.Fprintf(l.w, "documents: []\nnext_cursor: %s\ntotal: %s\n", next, sum)
	case l.format == "yaml":
		_, err = fmt.Fprintf(l.w, "next_cursor: %s\ntotal: %s\n", next, sum)
	case l.n == 0:
		_, err = fmt.Fprintln(l.w, "no documents")
	}
	return err
}
