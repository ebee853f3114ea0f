package localextract_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/docsvc/docsvc/pkg/extract"
	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/localextract"
)

// reader is an Extractor whose documents are what the file says: "fail",
// "crash", "unsupported", "blank", "grow", or a text. wait, when set, is called
// with the file's name before.
type reader struct {
	wait       func(name string)
	busy, most atomic.Int64
}

func (r *reader) Extract(ctx context.Context, q extract.Request, _ func(extract.Progress)) (*extract.Document, error) {
	n := r.busy.Add(1)
	defer r.busy.Add(-1)
	for m := r.most.Load(); n > m && !r.most.CompareAndSwap(m, n); m = r.most.Load() {
	}
	if r.wait != nil {
		r.wait(q.Name)
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	text, err := io.ReadAll(io.NewSectionReader(q.File, 0, 1<<30))
	if err != nil {
		return nil, err
	}
	switch string(text) {
	case "fail":
		return nil, block.Errorf(block.CodeCorrupt, "This file is damaged.")
	case "crash":
		return nil, errors.New("no process to be had")
	case "unsupported":
		return nil, block.Errorf(block.CodeUnsupported, "This is a picture.")
	case "blank":
		text = []byte(" ")
	case "locked":
		if q.Password != "sesame" {
			return nil, block.Errorf(block.CodeEncrypted, "This document is encrypted.")
		}
	case "grow":
		if err := os.WriteFile(q.File.Name(), []byte("grown longer"), 0o600); err != nil {
			return nil, err
		}
	}
	return &extract.Document{Format: "text", MIME: "text/plain", Version: "text/1", Warnings: []string{"a warning"}[:len(text)/30%2],
		Blocks: []block.Block{{Kind: block.Heading, Level: 1, Text: q.Name}, {Kind: block.Paragraph, Text: string(text)}}}, nil
}

// write makes files "name": "content" below a new directory.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// outcomes runs c and writes each outcome as a line.
func outcomes(t *testing.T, c localextract.Config, dir string, args ...string) []string {
	t.Helper()
	var lines []string
	err := localextract.Run(context.Background(), c, args, func(o *localextract.Outcome) error {
		name := strings.TrimPrefix(o.Entry.Path, dir+"/")
		switch {
		case o.Failed():
			lines = append(lines, name+" "+o.Code)
		case o.Skipped != "":
			lines = append(lines, name+" skipped")
		case o.Written != "":
			lines = append(lines, name+" -> "+o.Written)
		default:
			lines = append(lines, fmt.Sprintf("%s %q", name, o.Body))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"a.txt": "alpha", "b.pdf": "fail", "c.txt": "crash", "d/e.png": "unsupported", "d/f.txt": "", "d/g.txt": "gamma",
		"h.png": "unsupported", "i.txt": "", "j.txt": "blank", "k.pdf": "locked", "l.txt": "grow",
	})
	var args []string
	for _, name := range []string{"a.txt", "b.pdf", "c.txt", "d", "h.png", "i.txt", "j.txt", "k.pdf", "l.txt", "none.txt"} {
		args = append(args, filepath.Join(dir, name))
	}
	c := localextract.Config{Form: localextract.Markdown, Parallel: 3, Pool: &reader{}}
	want := []string{`a.txt "# a.txt\n\nalpha"`, "b.pdf corrupt", "c.txt extractor_unavailable", "d/e.png skipped", "d/f.txt skipped",
		`d/g.txt "# g.txt\n\ngamma"`, "h.png unsupported", "i.txt empty", "j.txt no_text", "k.pdf encrypted", "l.txt changed", "none.txt not_found"}
	want[8] = `j.txt "# j.txt"` // a heading is text
	expect(t, outcomes(t, c, dir, args...), want...)

	c.Password, c.Form = "sesame", localextract.JSON
	got := outcomes(t, c, dir, filepath.Join(dir, "k.pdf"))
	if len(got) != 1 || !strings.Contains(got[0], `\"metadata\":{},`) || !strings.Contains(got[0], `\"text\":\"k.pdf\\n\\nlocked\"`) || !strings.HasSuffix(got[0], `}\n"`) {
		t.Errorf("json: %s", got)
	}
	c.Form = localextract.Text
	expect(t, outcomes(t, c, dir, filepath.Join(dir, "a.txt")), `a.txt "a.txt\n\nalpha\n"`)
}

// Files end in any order and come out in that of their names, never more than
// Parallel in work.
func TestOrderAndBounds(t *testing.T) {
	t.Parallel()
	files := map[string]string{}
	var want []string
	for i := range 200 {
		name := fmt.Sprintf("%03d.txt", i)
		files[name] = name
		if i%3 == 0 {
			files[name] = strings.Repeat("x", 300<<10) // waits for its turn with its slot
		}
		want = append(want, name)
	}
	dir := write(t, files)
	var mu sync.Mutex
	first := make(chan struct{})
	started := 0
	r := &reader{}
	r.wait = func(name string) { // the first file is the slowest
		mu.Lock()
		if started++; started == 4 {
			close(first)
		}
		mu.Unlock()
		if name == "000.txt" {
			<-first
		}
	}
	var got []string
	err := localextract.Run(context.Background(), localextract.Config{Form: localextract.Markdown, Parallel: 4, Pool: r}, []string{dir},
		func(o *localextract.Outcome) error {
			if o.Failed() || len(o.Body) == 0 {
				t.Errorf("%s: %s", o.Entry.Path, o.Reason)
			}
			got = append(got, o.Entry.Rel)
			return nil
		})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, got, want...)
	if most := r.most.Load(); most > 4 {
		t.Errorf("%d files in work at once", most)
	}
}

func TestStops(t *testing.T) {
	t.Parallel()
	files := map[string]string{}
	for i := range 50 {
		files[fmt.Sprintf("%d.txt", i)] = "x"
	}
	dir := write(t, files)
	c := localextract.Config{Form: localextract.Text, Parallel: 2, Pool: &reader{}}
	full, taken := errors.New("the pipe is full"), 0
	err := localextract.Run(context.Background(), c, []string{dir}, func(*localextract.Outcome) error {
		taken++
		return full
	})
	if !errors.Is(err, full) || taken != 1 {
		t.Errorf("%v after %d", err, taken)
	}
	ctx, cancel := context.WithCancel(context.Background())
	taken = 0
	err = localextract.Run(ctx, c, []string{dir}, func(*localextract.Outcome) error {
		if taken++; taken == 3 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || taken != 3 {
		t.Errorf("%v after %d", err, taken)
	}
}
