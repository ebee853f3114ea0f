package pdf

import (
	"context"
	"fmt"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// How pages are shared with another process.
const (
	// leastShared is how many pages are left when help is asked for: fewer are read before it is there.
	leastShared = 48
	// mostAsked is how many pages are asked for at a time; towards the end fewer, so that neither
	// waits for the other. Two such spans are under way.
	mostAsked = 8
	underWay  = 2
)

// span is a run of pages, both ends included.
type span struct{ first, last int }

// producer reads the pages of a document in order: itself, and by a helper
// while there is one. It runs in one goroutine, which has PDFium for itself.
type producer struct {
	*document
	part    block.PageRange
	begins  block.PageBeginner
	results chan<- result

	helper block.Helper // nil when there is none to ask
	joined bool
	asked  []span // of the helper, in order; what it has sent is taken off the first

	next    int            // first page that nobody was asked for
	back    []span         // spans that a helper left undone
	broken  map[int]bool   // pages that ended a helper
	pending map[int]result // read, but not their turn
	turn    int            // page that results gets next
	traps   int
}

// run ends when all pages are read, something fatal came, or ctx ended.
func (p *producer) run(ctx context.Context) {
	p.next = max(1, p.part.From-around)
	p.turn = p.next
	p.broken, p.pending = make(map[int]bool), make(map[int]result)
	for p.turn <= p.pages {
		n, ok := p.take()
		if err := p.news(ctx, !ok); err != nil {
			p.send(ctx, result{n: p.turn, fatal: err})
			return
		}
		switch {
		case !ok:
		case p.broken[n]:
			p.pending[n] = result{n: n, skipped: true}
		default:
			p.pending[n] = p.produceOne(ctx, n, p.part, p.begins)
		}
		if !p.flush(ctx) {
			return
		}
	}
}

// take is the next page to read here; ok is false when only the helper has some left.
func (p *producer) take() (n int, ok bool) {
	if len(p.back) > 0 {
		s := &p.back[0]
		n = s.first
		if s.first++; s.first > s.last {
			p.back = p.back[1:]
		}
		return n, true
	}
	if p.next > p.pages {
		return 0, false
	}
	p.next++
	return p.next - 1, true
}

// flush hands over the results whose turn it is. It reports whether there is more to do.
func (p *producer) flush(ctx context.Context) bool {
	for {
		r, ok := p.pending[p.turn]
		if !ok {
			return true
		}
		delete(p.pending, p.turn)
		p.turn++
		if r.trapped {
			p.traps++
		}
		if r.fatal == nil && p.traps > maxTraps {
			r.fatal = p.trapped(r)
		}
		if !p.send(ctx, r) {
			return false
		}
	}
}

func (p *producer) send(ctx context.Context, r result) bool {
	select {
	case p.results <- r:
		return r.fatal == nil && ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// news takes what came from the helper, and asks it for more.
func (p *producer) news(ctx context.Context, wait bool) error {
	if p.helper == nil {
		return nil
	}
	all, err := p.helper.News(ctx, wait)
	if err != nil {
		return err
	}
	for _, n := range all {
		switch {
		case n.Joined:
			p.joined = true
		case n.Left:
			p.joined = false
			p.back = append(p.back, p.asked...)
			p.asked = nil
			if n.Broken > 0 {
				p.broken[n.Broken] = true
			}
		default:
			if err := p.received(n.Pages); err != nil {
				return err
			}
		}
	}
	return p.ask()
}

// received takes pages off those asked for. What was not asked for, or no
// more, is left out: a helper that left may have had pages on the way.
func (p *producer) received(raw []byte) error {
	results, err := readResults(raw)
	if err != nil {
		return err
	}
	for _, r := range results {
		if len(p.asked) == 0 || r.n != p.asked[0].first {
			continue
		}
		if p.asked[0].first++; p.asked[0].first > p.asked[0].last {
			p.asked = p.asked[1:]
		}
		p.pending[r.n] = r
	}
	return nil
}

// ask keeps the helper busy while there are pages.
func (p *producer) ask() error {
	for p.joined && len(p.asked) < underWay && p.next <= p.pages {
		n := min(mostAsked, 1+(p.pages-p.next)/(4*underWay))
		s := span{p.next, min(p.pages, p.next+n-1)}
		if err := p.helper.Read(s.first, s.last); err != nil {
			return err
		}
		p.asked, p.next = append(p.asked, s), s.last+1
	}
	if p.joined && len(p.asked) == 0 && p.next > p.pages {
		p.joined = false
		return p.helper.Release()
	}
	return nil
}

// serve reads pages for the process that has the document.
func (d *document) serve(ctx context.Context, part block.PageRange, orders block.Orders, begins block.PageBeginner) error {
	var b []byte
	for {
		first, last, ok, err := orders.Next(ctx)
		if err != nil || !ok {
			return err
		}
		b = b[:0]
		for n := max(1, first); n <= min(last, d.pages); n++ {
			r := d.produceOne(ctx, n, part, begins)
			if r.fatal != nil {
				return r.fatal
			}
			if b, err = appendResult(b, r); err != nil {
				return err
			}
			if len(b) > mostSent {
				return fmt.Errorf("page %d is too large to be handed over", n)
			}
			if len(b) >= sendFrom {
				if err := orders.Send(b); err != nil {
					return err
				}
				b = b[:0]
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
		}
		if len(b) > 0 {
			if err := orders.Send(b); err != nil {
				return err
			}
		}
	}
}

// sendFrom is how many bytes of pages are sent without waiting for the rest of
// a span, mostSent how many at once: the process that has the document reads what is more.
const (
	sendFrom = 256 << 10
	mostSent = 8 << 20
)
