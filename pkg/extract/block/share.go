package block

import "context"

// A document of many pages may be read by two processes: one has the document
// and makes blocks of its pages, the other reads pages for it. What a page is on its
// way from one to the other is the parser's own business; whoever carries it doesn't look into it.

// Helped is what a Sink may be beside: pages can be read by another process.
type Helped interface {
	// Help asks for one. It comes when one is free, or never.
	Help() (Helper, error)
}

// Helper is the other process as it is seen by the one that has the document.
// Its methods are for one goroutine, which needn't be the Sink's.
type Helper interface {
	// News gives what came since it was called last, in order; with wait it waits for something,
	// and says meanwhile that the parse is alive.
	News(ctx context.Context, wait bool) ([]News, error)
	// Read asks for the pages from first to last, after those asked for before.
	Read(first, last int) error
	// Release lets the other go: nothing more will be asked for.
	Release() error
}

// News is one thing that came from another process, or became of it.
type News struct {
	// Joined: there is one now, and pages can be asked for.
	Joined bool
	// Left: there is none any more; what it was asked for and has not sent won't come. Another may join.
	Left bool
	// Broken is the page that ended it, 0 for none: nobody is to touch that.
	Broken int
	// Pages are pages that it read, as its parser wrote them, in the order in which they were asked for.
	Pages []byte
}

// Orders is what the Sink of a process is beside that reads pages for another
// one. Its parser calls nothing else of the Sink but PageBegins.
type Orders interface {
	// Next waits for the next pages to be read; ok is false when there will be none.
	Next(ctx context.Context) (first, last int, ok bool, err error)
	// Send hands pages over.
	Send(pages []byte) error
}
