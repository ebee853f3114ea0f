package pipeline

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/extract"
	"github.com/docsvc/docsvc/pkg/redistest"
)

// pager extracts slowly enough for progress to be seen.
type pager struct{ step chan struct{} }

func (p pager) Extract(ctx context.Context, _ extract.Request, progress func(extract.Progress)) (*extract.Document, error) {
	for page := 1; page <= 4; page++ {
		progress(extract.Progress{Page: page, Pages: 4})
		select {
		case <-p.step:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return &extract.Document{Format: "text", Blocks: []extract.Block{{Kind: "paragraph", Text: "text"}}, PageErrors: []extract.PageError{{Page: 3, Message: "torn"}},
		Partial: true, Meta: extract.Metadata{Pages: 4, Words: 1}}, nil
}

func TestProgressIsSeen(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		p := pager{step: make(chan struct{})}
		r.work(func(c *Config) { c.Pool = p })
		u := r.upload("a.pdf", sample)
		r.process(u)
		last := 0
		for page := 1; page <= 4; page++ {
			want := fmt.Sprintf("read %d of 4", page)
			r.until(want, func() bool { return r.doc(u.DocumentID).CurrentStep == want })
			d := r.doc(u.DocumentID)
			if d.Status != document.Extracting || d.Progress <= last || d.Progress > 100 {
				t.Errorf("page %d: %s at %d%% after %d%%", page, d.Status, d.Progress, last)
			}
			last = d.Progress
			p.step <- struct{}{}
		}
		d := r.committed(u.DocumentID, "text")
		if d.Progress != 100 || !d.Partial || fmt.Sprint(d.FailedPages) != "[3]" || d.Pages != 4 {
			t.Errorf("at the end %d%%, partial %v, failed pages %v, %d pages", d.Progress, d.Partial, d.FailedPages, d.Pages)
		}
	})
}

// A document of many pages costs few writes.
func TestProgressIsBounded(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		var writes atomic.Int64
		r.work(func(c *Config) {
			c.ProgressEvery = time.Hour
			wrap(c, func(at string) {
				if at == "before progress" {
					writes.Add(1)
				}
			})
		})
		u := r.upload("a.txt", strings.Repeat("A page.\n\n", 1000)+"End.")
		r.process(u)
		r.await(u.DocumentID, document.Completed)
		if n := writes.Load(); n != 1 {
			t.Errorf("%d progress writes within one interval; want the first only", n)
		}
	})
}
