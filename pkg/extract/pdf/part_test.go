package pdf

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/blocktest"
	"github.com/docsvc/docsvc/pkg/extract/pdf/pdftest"
)

// What is left of a document after its reader ended comes as it would have
// come, without the pages that are skipped, which nobody touches.
func TestAPartOfADocumentIsReadAsInTheWhole(t *testing.T) {
	t.Parallel()
	var pages []pdftest.Page
	for n := range 30 {
		word := strings.Repeat(string(rune('a'+n%26)), 3) + " " + []string{"pumps", "valves", "tanks", "pipes", "wells", "gauges", "filters"}[n%7]
		pages = append(pages, pdftest.Page{Lines: pdftest.Lines(11, "The same header", "", "", "", "", "", "Here "+word+" begins this page, and there is more to say of it,", "", "", word+" goes on.", "", "", "", "and ends "+word+".")})
	}
	raw := pdftest.Doc{Pages: pages}.Bytes()
	whole := blocktest.Parse(t, reader(t).Parse, raw, options(t))
	if len(whole.Asides) == 0 || whole.Asides[0].Text != "The same header" {
		t.Fatalf("the header of all pages: %+v", whole.Asides)
	}
	o := options(t)
	o.Pages = block.PageRange{From: 20, Skip: []int{15, 25}}
	sink := &beginning{}
	f := blocktest.File(t, raw)
	if err := reader(t).Parse(t.Context(), f, int64(len(raw)), o, sink); err != nil {
		t.Fatal(err)
	}
	var want []block.Block
	for _, b := range whole.Blocks {
		if b.Page >= 20 && b.Page != 25 {
			want = append(want, b)
		}
	}
	if !slices.EqualFunc(sink.Blocks, want, func(a, b block.Block) bool { return a.Text == b.Text && a.Page == b.Page && a.Kind == b.Kind }) {
		t.Errorf("blocks %+v\nwant %+v", sink.Blocks, want)
	}
	if slices.Contains(sink.begun, 15) || slices.Contains(sink.begun, 25) || !slices.Contains(sink.begun, 20-around) || slices.Min(sink.begun) != 20-around {
		t.Errorf("pages touched: %v", sink.begun)
	}
	if len(sink.PageErrors) != 0 {
		t.Errorf("page errors %q", sink.PageErrors)
	}
}

// No text in what is left is not the document's failure.
func TestAPartWithoutTextIsNoFailure(t *testing.T) {
	t.Parallel()
	raw := pdftest.Doc{Pages: []pdftest.Page{{Lines: pdftest.Lines(11, "Text.")}, {}, {}}}.Bytes()
	o := options(t)
	o.Pages = block.PageRange{From: 2}
	d, err := blocktest.Try(t, reader(t).Parse, raw, o)
	if err != nil || len(d.Blocks) != 0 {
		t.Errorf("blocks %+v, error %v", d.Blocks, err)
	}
}

type beginning struct {
	blocktest.Sink
	mu    sync.Mutex
	begun []int
}

func (b *beginning) PageBegins(n int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.begun = append(b.begun, n)
	return nil
}
