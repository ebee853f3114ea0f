package extract

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/pdf/pdftest"
)

// testPool is a pool of children that understand test documents.
func testPool(t *testing.T, change ...func(*PoolOptions)) *Pool {
	t.Helper()
	o := PoolOptions{Args: []string{"-test.run=^$"}, Env: []string{childVariable + "=1"}, Size: 1}
	for _, f := range change {
		f(&o)
	}
	p, err := NewPool(o)
	if err != nil {
		t.Fatal(err)
	}
	// The race detector maps a multiple of what a program asks for.
	p.bound = func(int, int64) error { return nil }
	t.Cleanup(func() { p.Close() })
	return p
}

func testFile(t *testing.T, content string) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "document")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func extractText(t *testing.T, p *Pool, content string) (*Document, error) {
	t.Helper()
	return p.Extract(t.Context(), Request{File: testFile(t, content)}, nil)
}

// stillWorks checks that the pool serves the next document.
func stillWorks(t *testing.T, p *Pool) {
	t.Helper()
	doc, err := extractText(t, p, "!text next")
	if err != nil || len(doc.Blocks) != 1 || doc.Blocks[0].Text != "next" {
		t.Fatalf("the next document: %+v, %v", doc, err)
	}
}

func wantCode(t *testing.T, err error, code string) *Error {
	t.Helper()
	var coded *Error
	if !errors.As(err, &coded) || coded.Code != code {
		t.Fatalf("error %v, want one coded %s", err, code)
	}
	if coded.Message == "" || !strings.HasSuffix(coded.Message, ".") {
		t.Fatalf("message %q is not a sentence", coded.Message)
	}
	return coded
}

func TestExtractPutsADocumentTogether(t *testing.T) {
	t.Parallel()
	p := testPool(t)
	var seen []Progress
	doc, err := p.Extract(t.Context(), Request{File: testFile(t,
		"!title On frames\n!text first\n!footnote a note\n!warn odd font\n!warn odd font\n!page 1\n!bad-page no text\n!text second\n!page 3\n"),
	}, func(p Progress) { seen = append(seen, p) })
	if err != nil {
		t.Fatal(err)
	}
	if doc.Format != "test" || doc.MIME != "application/x-test" || doc.Version != "test/1" || doc.Meta.Title != "On frames" || doc.Meta.Pages != 3 {
		t.Errorf("document %+v", doc)
	}
	if len(doc.Blocks) != 2 || doc.Blocks[0].Text != "first" || doc.Blocks[1].Text != "second" {
		t.Errorf("blocks %+v", doc.Blocks)
	}
	if len(doc.Asides) != 1 || doc.Asides[0].Kind != block.Footnote || doc.Asides[0].Text != "a note" {
		t.Errorf("asides %+v", doc.Asides)
	}
	if len(doc.Warnings) != 1 || len(doc.PageErrors) != 1 || doc.PageErrors[0] != (PageError{2, "no text"}) || !doc.Partial {
		t.Errorf("warnings %q, page errors %+v, partial %v", doc.Warnings, doc.PageErrors, doc.Partial)
	}
	if n := len(seen); n == 0 || seen[n-1] != (Progress{3, 3, "extracting"}) {
		t.Errorf("progress %+v", seen)
	}
}

func TestExtractKeepsWhatIsLargerThanAFrame(t *testing.T) {
	t.Parallel()
	p := testPool(t)
	doc, err := extractText(t, p, "!long 5000000\n!table 3000\n!text end\n")
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for i, b := range doc.Blocks {
		if b.Kind == block.Paragraph && b.Text != "end" {
			if b.Continues != (i > 0) {
				t.Errorf("block %d continues: %v", i, b.Continues)
			}
			text.WriteString(b.Text)
		}
	}
	if text.String() != strings.Repeat("é", 2500000) {
		t.Errorf("%d bytes of text came back", text.Len())
	}
	table := doc.Blocks[len(doc.Blocks)-2]
	if table.Kind != block.Table || !table.HeaderRow || len(table.Rows) != 3000 || table.Rows[2999][0] != "2999" {
		t.Errorf("table of %d rows", len(table.Rows))
	}
}

func TestExtractReportsWhatTheParserSays(t *testing.T) {
	t.Parallel()
	p := testPool(t)
	_, err := extractText(t, p, "!text lost\n!coded This document needs a password.")
	if e := wantCode(t, err, block.CodeEncrypted); e.Message != "This document needs a password." || e.Resource() {
		t.Errorf("error %+v", e)
	}
	_, err = extractText(t, p, "!fail disk on fire")
	var coded *Error
	if err == nil || errors.As(err, &coded) || !strings.Contains(err.Error(), "disk on fire") {
		t.Errorf("error %v, want one without a code", err)
	}
	stillWorks(t, p)
	if s := p.Stats(); s.Children != 1 || s.Busy != 0 {
		t.Errorf("one child serves on after errors of documents: %+v", s)
	}
}

func TestExtractSurvivesADyingChild(t *testing.T) {
	t.Parallel()
	for name, document := range map[string]string{
		"exit":           "!text a\n!page 1\n!exit 3",
		"exit 0":         "!exit 0",
		"panic":          "!panic at the disco",
		"stack overflow": "!overflow",
		"half a frame":   `!raw "\x00\x00\x00\x09W\"tru"` + "\n!exit 0",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := testPool(t)
			_, err := extractText(t, p, document)
			if e := wantCode(t, err, block.CodeCrash); !e.Resource() {
				t.Errorf("%+v is no resource error", e)
			}
			stillWorks(t, p)
		})
	}
}

// What ended it may have been somebody from outside.
func TestExtractTriesADeadChildsDocumentOnceMore(t *testing.T) {
	t.Parallel()
	p := testPool(t)
	killed := false
	doc, err := p.Extract(t.Context(), Request{File: testFile(t, "!text kept once\n!page 3\n!pause")}, func(Progress) {
		p.mu.Lock()
		defer p.mu.Unlock()
		for c := range p.alive {
			if !killed {
				c.kill()
			}
		}
		killed = true
	})
	if err != nil || len(doc.Blocks) != 1 || !killed {
		t.Fatalf("document %+v, error %v", doc, err)
	}
}

func TestWarmKeepsAChildForTheFirstDocument(t *testing.T) {
	t.Parallel()
	p := testPool(t, func(o *PoolOptions) { o.CacheDir = pdftest.CacheDir(t) })
	if err := p.Warm(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := p.Stats(); s.Children != 1 || s.Busy != 0 {
		t.Errorf("after Warm: %+v", s)
	}
	// Nothing is left to be loaded: the same child does it, and a limit on
	// memory that loading would break holds from the start.
	raw := pdftest.Doc{Title: "Warm", Pages: []pdftest.Page{{Lines: pdftest.Lines(11, "One page.")}, {Entries: "/Contents 9999 0 R"}}}.Bytes()
	doc, err := p.Extract(t.Context(), Request{File: testFile(t, string(raw)), Name: "a.pdf", DeclaredType: "application/pdf"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if doc.Format != "pdf" || doc.MIME != "application/pdf" || doc.Meta.Title != "Warm" || doc.Meta.Pages != 2 || len(doc.Blocks) != 1 || doc.Blocks[0].Page != 1 {
		t.Errorf("document %+v", doc)
	}
	if s := p.Stats(); s.Children != 1 {
		t.Errorf("after a document: %+v", s)
	}
	locked := pdftest.Doc{Password: "p", Pages: []pdftest.Page{{Lines: pdftest.Lines(11, "Locked.")}}}.Bytes()
	_, err = p.Extract(t.Context(), Request{File: testFile(t, string(locked))}, nil)
	wantCode(t, err, block.CodeEncrypted)
	if doc, err = p.Extract(t.Context(), Request{File: testFile(t, string(locked)), Password: "p"}, nil); err != nil || doc.Blocks[0].Text != "Locked." {
		t.Errorf("with the password: %+v, %v", doc, err)
	}
}

func TestExtractEndsWithItsContext(t *testing.T) {
	t.Parallel()
	p := testPool(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("the job was canceled")
	_, err := p.Extract(ctx, Request{File: testFile(t, "!page 3\n!hang")}, func(Progress) { cancel(reason) })
	if !errors.Is(err, reason) {
		t.Fatalf("error %v, want the context's cause", err)
	}
	if s := p.Stats(); s.Children != 0 {
		t.Errorf("the child lives on: %+v", s)
	}
	if _, err := p.Extract(ctx, Request{File: testFile(t, "!text late")}, nil); !errors.Is(err, reason) {
		t.Errorf("with an ended context: %v", err)
	}
	stillWorks(t, p)
}

func TestExtractWaitsForAFreeChild(t *testing.T) {
	t.Parallel()
	p := testPool(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	working, ended := make(chan struct{}), make(chan error, 1)
	var once sync.Once
	go func() {
		_, err := p.Extract(ctx, Request{File: testFile(t, "!page 3\n!hang")}, func(Progress) { once.Do(func() { close(working) }) })
		ended <- err
	}()
	<-working
	waiting, stop := context.WithCancel(t.Context())
	stop()
	if _, err := p.Extract(waiting, Request{File: testFile(t, "!text x")}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting with an ended context: %v", err)
	}
	if s := p.Stats(); s.Children != 1 || s.Busy != 1 {
		t.Errorf("stats %+v", s)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the document in work: %v", err)
	}
	stillWorks(t, p)
}

func TestExtractConcurrently(t *testing.T) {
	t.Parallel()
	p := testPool(t, func(o *PoolOptions) { o.Size = 3; o.RecycleAfter = 4 })
	var wg sync.WaitGroup
	for i := range 24 {
		f := testFile(t, "!text "+strconv.Itoa(i)+"\n")
		if i%8 == 3 {
			f = testFile(t, "!exit 9")
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			doc, err := p.Extract(t.Context(), Request{File: f}, nil)
			switch {
			case i%8 == 3 && err == nil:
				t.Errorf("document %d: no error", i)
			case i%8 != 3 && (err != nil || len(doc.Blocks) != 1 || doc.Blocks[0].Text != strconv.Itoa(i)):
				t.Errorf("document %d: %+v, %v", i, doc, err)
			}
			if s := p.Stats(); s.Children > 3+3 { // three in work, three being reaped
				t.Errorf("%d children", s.Children)
			}
		}()
	}
	wg.Wait()
	if s := p.Stats(); s.Children > 3 || s.Busy != 0 {
		t.Errorf("afterwards: %+v", s)
	}
}

func TestExtractLeavesTheFileAlone(t *testing.T) {
	t.Parallel()
	p := testPool(t)
	f := testFile(t, "!text a\n!text b\n")
	if _, err := f.Seek(3, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		doc, err := p.Extract(t.Context(), Request{File: f}, nil)
		if err != nil || len(doc.Blocks) != 2 {
			t.Fatalf("document %+v, error %v", doc, err)
		}
	}
	if at, err := f.Seek(0, io.SeekCurrent); err != nil || at != 3 {
		t.Errorf("position %d, error %v", at, err)
	}
}

// runTestParent is a process that dies with a child in work.
func runTestParent(document string) int {
	p, err := NewPool(PoolOptions{Args: []string{"-test.run=^$"}, Env: []string{childVariable + "=1"}, Size: 1})
	if err != nil {
		return 1
	}
	f, err := os.Open(document)
	if err != nil {
		return 1
	}
	_, err = p.Extract(context.Background(), Request{File: f}, func(Progress) {
		fmt.Println(childProcesses(os.Getpid()))
	})
	fmt.Println(err)
	return 1
}
