package extract

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/pdf/pdftest"
)

// inHelp makes a PDF parser whose processes do what the password says: "await"
// waits for help before the first page, and so has page 2 and those after it read by the helper; "helper 5"
// ends that on page 5, "own 90" the document's own on the first page from 90 on that it reads.
func inHelp(parse block.Parser) block.Parser {
	return func(ctx context.Context, f *os.File, size int64, o block.Options, sink block.Sink) error {
		script := o.Password
		if !strings.HasPrefix(script, "await") {
			return parse(ctx, f, size, o, sink)
		}
		o.Password = ""
		switch s := sink.(type) {
		case *orderSink:
			if page := pageAfter(script, "helper"); page > 0 {
				sink = dyingHelper{s, page}
			}
		case *frameSink:
			sink = awaitingSink{s, pageAfter(script, "own")}
		}
		return parse(ctx, f, size, o, sink)
	}
}

func pageAfter(script, who string) (page int) {
	_, rest, _ := strings.Cut(script, who+" ")
	_, _ = fmt.Sscan(rest, &page)
	return page
}

type dyingHelper struct {
	*orderSink
	page int
}

func (s dyingHelper) PageBegins(n int) error {
	if err := s.orderSink.PageBegins(n); err != nil {
		return err
	}
	if n == s.page {
		os.Exit(9)
	}
	return nil
}

type awaitingSink struct {
	*frameSink
	page int
}

func (s awaitingSink) PageBegins(n int) error {
	if err := s.frameSink.PageBegins(n); err != nil {
		return err
	}
	if s.page > 0 && n >= s.page {
		os.Exit(9)
	}
	return nil
}

func (s awaitingSink) Help() (block.Helper, error) {
	h, err := s.frameSink.Help()
	return &awaitingHelper{Helper: h}, err
}

// awaitingHelper has nothing read until somebody has joined.
type awaitingHelper struct {
	block.Helper
	joined bool
}

func (h *awaitingHelper) News(ctx context.Context, wait bool) ([]block.News, error) {
	news, err := h.Helper.News(ctx, wait || !h.joined)
	h.joined = h.joined || len(news) > 0
	return news, err
}

// manyPages is a document with headers, headings and words divided between pages.
func manyPages(n int) []byte {
	d := pdftest.Doc{Title: "Many pages"}
	for i := range n {
		word := []string{"pumps", "valves", "tanks", "pipes", "wells", "gauges", "filters"}[i%7]
		lines := pdftest.Lines(11, "The same header", "", "", "", "", fmt.Sprintf("Here %s number %d begin this page, and there is more", word, i), "to say of it.", "", "", word+" goes on.", "", "", "and ends "+word+" in divi-")
		if i%10 == 3 {
			lines = append(lines, pdftest.Line{X: 72, Y: 400, Size: 20, Text: "Chapter on " + word})
		}
		page := pdftest.Page{Lines: lines}
		if i%25 == 4 {
			page.Annots = []string{fmt.Sprintf("<< /Type /Annot /Subtype /Text /Rect [0 0 9 9] /Contents (note %d) >>", i)}
		}
		d.Pages = append(d.Pages, page)
		if i%20 == 3 {
			d.Outline = append(d.Outline, pdftest.Entry{Title: "Chapter on " + word, Page: i + 1})
		}
	}
	return d.Bytes()
}

// helpedPool is a pool of two children, both up.
func helpedPool(t *testing.T) *Pool {
	return testPool(t, func(o *PoolOptions) { o.Size = 2; o.CacheDir = pdftest.CacheDir(t) })
}

func extractScript(t *testing.T, p *Pool, raw []byte, script string) (*Document, error) {
	t.Helper()
	return p.Extract(t.Context(), Request{File: testFile(t, string(raw)), Name: "many.pdf", Password: script}, nil)
}

func TestTwoChildrenGiveTheSameDocumentAsOne(t *testing.T) {
	t.Parallel()
	raw := manyPages(150)
	one, err := extractScript(t, testPool(t, func(o *PoolOptions) { o.CacheDir = pdftest.CacheDir(t) }), raw, "")
	if err != nil {
		t.Fatal(err)
	}
	p := helpedPool(t)
	two, err := extractScript(t, p, raw, "await")
	if err != nil {
		t.Fatal(err)
	}
	a, errA := json.Marshal(one)
	b, errB := json.Marshal(two)
	if err := errors.Join(errA, errB); err != nil {
		t.Fatal(err)
	}
	if string(a) != string(b) || one.Meta.Pages != 150 || len(one.Asides) == 0 {
		t.Errorf("one child: %d bytes, two: %d; %d asides", len(a), len(b), len(one.Asides))
	}
	if s := p.Stats(); s.Children != 2 || s.Busy != 0 {
		t.Errorf("afterwards: %+v", s)
	}
}

// A page that ends the child that helps is left out and named, as one that
// ends the document's own.
func TestAHelperThatDiesCostsOnePage(t *testing.T) {
	t.Parallel()
	raw := manyPages(150)
	doc, err := extractScript(t, helpedPool(t), raw, "await helper 5")
	if err != nil {
		t.Fatal(err)
	}
	if len(doc.PageErrors) != 1 || doc.PageErrors[0].Page != 5 || !doc.Partial {
		t.Errorf("page errors %+v", doc.PageErrors)
	}
	var missing []int
	for n := 1; n <= 150; n++ {
		if !slices.ContainsFunc(doc.Blocks, func(b Block) bool { return b.Page == n }) {
			missing = append(missing, n)
		}
	}
	if !slices.Equal(missing, []int{5}) {
		t.Errorf("pages without text: %v", missing)
	}
}

func TestTheSecondDeathEndsADocumentWhoeverDies(t *testing.T) {
	t.Parallel()
	raw := manyPages(150)
	for _, script := range []string{"await helper 5 own 90", "await own 90"} {
		p := helpedPool(t)
		// What had come before the second death is kept, if anything had.
		doc, err := extractScript(t, p, raw, script)
		if err != nil {
			wantCode(t, err, block.CodeCrash)
		} else if !doc.Partial || len(doc.Blocks) == 0 {
			t.Errorf("%s: partial %v, %d blocks, page errors %+v", script, doc.Partial, len(doc.Blocks), doc.PageErrors)
		}
		stillWorks(t, p)
	}
}

// endless is a document that is never done: one child has the other read
// the same page again and again.
func endless(ctx context.Context, sink block.Sink) error {
	if s, ok := sink.(*orderSink); ok {
		for {
			_, _, more, err := s.Next(ctx)
			if err != nil || !more {
				return err
			}
			if err := s.Send([]byte("page")); err != nil {
				return err
			}
		}
	}
	h, err := sink.(block.Helped).Help()
	for n := 1; err == nil; {
		var news []block.News
		if news, err = h.News(ctx, true); err != nil {
			break
		}
		for _, x := range news {
			if x.Left {
				continue
			}
			if x.Joined {
				err = sink.PageDone(n, n) // heard of at once
				n++
			}
			err = errors.Join(err, h.Read(1, 1))
		}
	}
	return err
}

func TestADocumentThatWaitsGetsTheSlotOfAHelper(t *testing.T) {
	t.Parallel()
	p := helpedPool(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended, helped := make(chan error, 1), make(chan struct{}, 1000)
	go func() {
		_, err := p.Extract(ctx, Request{File: testFile(t, "!endless")}, func(Progress) {
			select {
			case helped <- struct{}{}:
			default:
			}
		})
		ended <- err
	}()
	for range 3 { // it is helped again after every one
		<-helped
		stillWorks(t, p)
	}
	<-helped
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if s := p.Stats(); s.Busy != 0 {
		t.Errorf("after it was cancelled: %+v", s)
	}
	stillWorks(t, p)
}
