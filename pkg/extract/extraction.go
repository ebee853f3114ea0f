package extract

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

const (
	// maxDead is how many children one document may end.
	maxDead = 2
	// maxUnread is how many children may die before they have read the job:
	// that is no document's fault.
	maxUnread = 3
)

// extraction is one document on its way, with as many children as it takes.
//
// A child that is ended by a page of a paged document (it died, hung or took
// too much memory) is replaced by one that goes on with the pages that are
// left, without that one. A document without pages is begun anew, once, when
// its child died: it may have been ended from outside. After maxDead children
// nothing more is tried. Text of any page makes a document, a partial one.
type extraction struct {
	p        *Pool
	request  Request
	progress func(Progress)

	kept    *collector
	part    block.PageRange // what is left
	failed  []PageError     // pages that ended a child
	dead    int             // children that it ended
	unread  int             // children that died before they had read the job
	cold    int             // children that found nothing compiled
	fatal   error           // why a child that helped was the last
	resumed bool            // not all of it came from the last child
}

// Extract turns one file into a Document, waiting for a free child if need
// be. The error is ctx's cause when it ended, *Error for anything wrong with the
// file (Resource tells when it used up time or memory or killed its child),
// and anything else when no child could be started. progress may be nil; it is
// called from the calling goroutine.
func (p *Pool) Extract(ctx context.Context, r Request, progress func(Progress)) (*Document, error) {
	if err := p.checkFile(r.File); err != nil {
		return nil, err
	}
	if err := p.enter(ctx); err != nil {
		return nil, err
	}
	defer p.leave()
	e := &extraction{p: p, request: r, progress: progress, kept: p.newCollector()}
	limited, cancel := context.WithTimeoutCause(ctx, p.o.Timeout, p.timeoutError())
	defer cancel()
	for {
		err := e.try(limited)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		again := false
		if e.fatal != nil {
			err = e.fatal
		} else if again, err = e.goOn(limited, err); again {
			continue
		}
		if err := e.end(err); err != nil {
			return nil, err
		}
		break
	}
	if err := e.recognise(ctx); err != nil {
		return nil, err
	}
	return e.document(), nil
}

func (p *Pool) newCollector() *collector {
	return &collector{max: p.o.MaxOutput, maxPages: p.o.MaxPages}
}

// try gives what is left of the document to one child, and to another that
// helps it.
func (e *extraction) try(ctx context.Context) error {
	p := e.p
	c, err := p.lease(ctx)
	if err != nil {
		return err
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	e.kept.accepted, e.kept.begun = false, 0
	e.kept.aid = e.newAssistance(ctx, c, fail)
	err = p.converse(ctx, c, e.kept, e.progress, frameJob, e.job(), e.request.File)
	e.fatal = e.kept.aid.end()
	p.giveBack(c)
	return err
}

func (e *extraction) job() jobMessage {
	o := e.p.o
	return jobMessage{
		Name:         e.request.Name,
		DeclaredType: e.request.DeclaredType,
		Password:     e.request.Password,
		MaxExpanded:  o.MaxExpanded,
		MaxNesting:   o.MaxNesting,
		MaxOutput:    o.MaxOutput,
		MaxPages:     o.MaxPages,
		MaxParts:     o.MaxParts,
		MaxPixels:    o.MaxPixels,
		MaxRatio:     o.MaxRatio,
		Pages:        e.part,
	}
}

// goOn decides after a failed try whether there is another one, and prepares
// it; else it gives the error that ends the extraction.
func (e *extraction) goOn(ctx context.Context, err error) (again bool, end error) {
	var cold *coldError
	if errors.As(err, &cold) {
		if e.cold++; e.cold > maxCold {
			return false, fmt.Errorf("loading a parser: %w", err)
		}
		e.forget()
		err = e.p.compile(ctx, cold, e.progress)
		return err == nil, err
	}
	var died *deathError
	if errors.As(err, &died) {
		e.p.o.Log.Debug().Str("exit", died.exit).Bool("accepted", died.accepted).Int("page", e.kept.begun).Msg("extraction child died in the middle of a document")
		if !died.accepted {
			e.unread++
			return e.unread < maxUnread, died.coded()
		}
		err = died.coded()
	} else if !endsChild(err) {
		return false, err
	}
	e.dead++
	page := e.kept.begun
	switch {
	case ctx.Err() != nil, errors.Is(err, ErrClosed):
		return false, err
	case page > 0:
		e.failed = append(e.failed, endedOn(page, err))
		if e.dead >= maxDead {
			return false, err
		}
		e.resume(page)
		return true, nil
	case died != nil && e.dead < maxDead:
		e.forget()
		return true, nil
	}
	return false, err
}

// endsChild reports whether an error means that the child is gone because of
// the document: time, memory, or frames that it must not send.
func endsChild(err error) bool {
	var coded *Error
	return errors.As(err, &coded) && coded.Resource()
}

// forget begins anew.
func (e *extraction) forget() { e.kept = e.p.newCollector() }

// resume prepares another try without page, on the pages of which not
// everything has come: from the last one that blocks are there of.
func (e *extraction) resume(page int) {
	from := min(e.kept.lastPage(), page)
	e.kept.dropFrom(from)
	e.part.From = max(from, 1)
	e.part.Skip = append(e.part.Skip, page)
	e.resumed = true
}

// end is the answer when nothing more is tried: no error, and a partial
// document, where there is text of some pages, or pictures of it.
func (e *extraction) end(err error) error {
	var coded *Error
	if !errors.As(err, &coded) || !e.kept.hasText() && len(e.kept.pictures) == 0 || !e.resumed && e.kept.doc.Meta.Pages == 0 {
		return err
	}
	if !coded.Resource() && coded.Code != block.CodeCorrupt {
		return err
	}
	last := e.kept.lastPage()
	for n := last + 1; n <= min(e.kept.doc.Meta.Pages, e.p.o.MaxPages); n++ {
		e.failed = append(e.failed, PageError{Page: n, Message: "This page was not read: " + coded.Message})
	}
	e.kept.warn(fmt.Sprintf("%sreading ended after page %d (%s): %s", block.TextIncomplete, last, coded.Code, coded.Message))
	return nil
}

// document is what came, with the pages that ended a child.
func (e *extraction) document() *Document {
	c := e.kept
	for _, f := range e.failed {
		known := slices.ContainsFunc(c.doc.PageErrors, func(p PageError) bool { return p.Page == f.Page })
		if !known && len(c.doc.PageErrors) < c.maxPages {
			f.Message = note(f.Message)
			c.doc.PageErrors = append(c.doc.PageErrors, f)
		}
	}
	slices.SortStableFunc(c.doc.PageErrors, func(a, b PageError) int { return a.Page - b.Page })
	return c.document()
}

// lastPage is the highest page that a block of the body or beside it is of, or
// that is a picture.
func (c *collector) lastPage() int {
	last := 0
	for _, blocks := range [][]Block{c.doc.Blocks, c.doc.Asides} {
		for i := range blocks {
			last = max(last, blocks[i].Page)
		}
	}
	for _, n := range c.pictures {
		last = max(last, n)
	}
	return last
}

// dropFrom forgets what came of pages from n on.
func (c *collector) dropFrom(n int) {
	later := func(b Block) bool { return b.Page >= n }
	c.doc.Blocks = slices.DeleteFunc(c.doc.Blocks, later)
	c.doc.Asides = slices.DeleteFunc(c.doc.Asides, later)
	c.doc.PageErrors = slices.DeleteFunc(c.doc.PageErrors, func(p PageError) bool { return p.Page >= n })
	c.pictures = slices.DeleteFunc(c.pictures, func(p int) bool { return p >= n })
}

// hasText reports whether there is any text yet.
func (c *collector) hasText() bool {
	for _, blocks := range [][]Block{c.doc.Blocks, c.doc.Asides} {
		for i := range blocks {
			if strings.TrimSpace(blocks[i].Text) != "" || len(blocks[i].Rows) > 0 {
				return true
			}
		}
	}
	return false
}
