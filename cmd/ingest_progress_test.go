package cmd

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/vbauerster/mpb/v8"

	"github.com/docsvc/docsvc/pkg/ingest"
)

// No line is wider than the terminal, whatever the name, and none can play
// with it.
func TestFileLineFits(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"a.pdf", strings.Repeat("long/", 40) + "name.pdf", "日本語の文書.pdf", strings.Repeat("漢字", 50), "evil\x1b[2J\r\n.pdf", "\xff\xfe.txt", ""} {
		for _, m := range []ingest.Progress{
			{Phase: ingest.Reading, Done: 1 << 20, Total: 5 << 30},
			{Phase: ingest.Uploading, Done: 5 << 30, Total: 5 << 30},
			{Phase: ingest.Processing, Done: 35, Total: 100, Step: "reading page 12 of 40\x1b[2J"},
			{Phase: ingest.Reading},
		} {
			m.Path = path
			for width := -1; width < 200; width++ {
				line := fileLine(m, width)
				if w := runewidth.StringWidth(line); w > max(0, width) {
					t.Fatalf("%d columns in %d: %q", w, width, line)
				}
				if strings.ContainsAny(line, "\x1b\r\n") {
					t.Fatalf("control characters in %q", line)
				}
			}
		}
	}
	line := fileLine(ingest.Progress{Path: "dir/a name that is too long to be shown as a whole.pdf", Phase: ingest.Uploading, Done: 1 << 20, Total: 4 << 20}, 100)
	if !strings.HasPrefix(line, "...") || !strings.Contains(line, "whole.pdf [#####...............]  25% 1.0 MiB of 4.0 MiB sent") {
		t.Errorf("%q", line)
	}
}

// On a terminal the table is as wide as that, unless it is too narrow.
func TestTableFits(t *testing.T) {
	t.Parallel()
	id := strings.Repeat("0", 36)
	rows := [][]string{
		{strings.Repeat("dir/", 20) + "文書.pdf", "failed", id, strings.Repeat("Some words that say why. ", 10)},
		{"a.pdf", "interrupted", "-", "not begun"},
	}
	for _, width := range []int{100, 120, 200} {
		var b bytes.Buffer
		if err := table(&b, []string{"FILE", "OUTCOME", "DOCUMENT", "WHY"}, narrowed(rows, width)); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			if runewidth.StringWidth(strings.TrimSpace(line)) > width {
				t.Errorf("more than %d columns: %s", width, line)
			}
		}
		if n := strings.Count(b.String(), "why."); n != 10 {
			t.Errorf("%d of 10 sentences are there:\n%s", n, b.String())
		}
	}
	if got := narrowed(rows, 0); len(got) != 2 || got[0][3] != rows[0][3] {
		t.Errorf("without a terminal: %q", got)
	}
}

// Many files at once, with lines that come and go while others are drawn: it
// ends, and says what failed.
func TestProgressOfManyFiles(t *testing.T) {
	t.Parallel()
	var out lockedBuffer
	p := testProgress(&out)
	p.drawOn(mpb.New(mpb.WithOutput(&out), mpb.WithAutoRefresh(), mpb.WithRefreshRate(time.Millisecond), mpb.WithWidth(100)))
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 25 {
				path := fmt.Sprintf("file-%d-%d.pdf", i, n)
				p.add()
				for step := range 4 {
					p.move(ingest.Progress{Path: path, Phase: ingest.Phase(step), Done: int64(step), Total: 4})
					time.Sleep(time.Millisecond)
				}
				r := &ingest.Result{Path: path, Outcome: ingest.Completed}
				if n == 7 {
					r.Outcome, r.Reason = ingest.Failed, "it is damaged"
				}
				p.end(r)
			}
		})
	}
	all.Wait()
	p.all()
	p.close()
	for i := range 8 {
		if want := fmt.Sprintf("file-%d-7.pdf: failed: it is damaged\n", i); !strings.Contains(out.String(), want) {
			t.Errorf("%q was not said", want)
		}
	}
	if !strings.Contains(out.String(), "of 200+ files") && !strings.Contains(out.String(), "of 200 files") {
		t.Error("the line of all files never had the total")
	}
}

// Without a terminal: a line per file that ended.
func TestProgressInALog(t *testing.T) {
	t.Parallel()
	var out lockedBuffer
	p := testProgress(&out)
	for _, r := range []*ingest.Result{
		{Path: "a.pdf", Outcome: ingest.Completed, Size: 2048, DocumentID: "id", Seconds: 1.25},
		{Path: "b.pdf", Outcome: ingest.Present},
		{Path: "c\x1b.pdf", Outcome: ingest.Failed, Reason: "it is\ndamaged"},
	} {
		p.add()
		p.move(ingest.Progress{Path: r.Path})
		p.end(r)
	}
	p.retrying(io.EOF, time.Second)
	p.retrying(io.EOF, time.Second)
	p.close()
	const want = "[1/1] a.pdf: completed (2.0 KiB, document id, 1.2 s)\n[3/3] c\\x1b.pdf: failed: it is damaged\n" +
		"docsvc: EOF; trying again for up to 2 minutes\n"
	if got := out.String(); got != want {
		t.Errorf("said\n%s\nwant\n%s", got, want)
	}
}

func testProgress(w io.Writer) *progress {
	return (&app{stderr: w, lookupEnv: func(string) (string, bool) { return "", false }}).newProgress(4)
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
