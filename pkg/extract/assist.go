package extract

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

const (
	// helpEvery is how often a document that wants help looks for a slot that nobody else wants.
	helpEvery = 20 * time.Millisecond
	// helperEnds is how long a helper that is not needed any more may take to end, and stay for the next document.
	helperEnds = time.Second
)

// assistance is a second child for a document of many pages: it reads pages
// for the child that has the document, which makes blocks of all of them, so that what comes of
// it doesn't depend on who read what. Their messages go through here, unread.
//
// It has a slot of the pool that no document waits for, and gives it back as
// soon as one does. A page that ends it counts like one that ends the document's own child.
type assistance struct {
	e    *extraction
	main *child
	ctx  context.Context
	stop context.CancelFunc
	fail context.CancelCauseFunc // ends the document's child

	begin sync.Once
	begun bool
	done  chan struct{}

	mu      sync.Mutex
	helper  *child // at work; nil when there is none
	leaving bool   // it was told to end
	over    bool   // nothing more will be asked for
	fatal   error  // the document has ended too many children
}

func (e *extraction) newAssistance(ctx context.Context, main *child, fail context.CancelCauseFunc) *assistance {
	a := &assistance{e: e, main: main, fail: fail, done: make(chan struct{})}
	a.ctx, a.stop = context.WithCancel(ctx)
	return a
}

// want is called when the document's child asks for help.
func (a *assistance) want() {
	a.begin.Do(func() {
		a.begun = true
		go a.run()
	})
}

// order passes on what the document's child wants to have read.
func (a *assistance) order(payload []byte) error {
	var m orderMessage
	if err := decode(frameOrder, payload, &m); err != nil {
		return err
	}
	a.mu.Lock()
	a.over = a.over || m.First == 0
	c := a.helper
	if c == nil || a.leaving { // it will hear that its helper has left
		a.mu.Unlock()
		return nil
	}
	if m.First == 0 || a.e.p.wanted() {
		m, a.leaving = orderMessage{}, true
	}
	a.mu.Unlock()
	if c.send(frameOrder, m, nil) != nil {
		c.kill()
	}
	return nil
}

// end is called when the document's child is done: it returns when the helper is gone.
func (a *assistance) end() error {
	defer a.stop()
	if !a.begun {
		return nil
	}
	a.mu.Lock()
	over := a.over
	a.over = true
	a.mu.Unlock()
	if over {
		timer := time.NewTimer(helperEnds)
		defer timer.Stop()
		select {
		case <-a.done:
		case <-timer.C:
		}
	}
	a.stop()
	<-a.done
	return a.fatal
}

func (a *assistance) run() {
	defer close(a.done)
	for a.slot() {
		again := a.help()
		<-a.e.p.slots
		if !again {
			return
		}
	}
}

// slot takes a slot that nobody waits for. It gives up when the document needs no help any more.
func (a *assistance) slot() bool {
	ticker := time.NewTicker(helpEvery)
	defer ticker.Stop()
	for {
		a.mu.Lock()
		over := a.over
		a.mu.Unlock()
		if over || a.ctx.Err() != nil {
			return false
		}
		if !a.e.p.wanted() {
			select {
			case a.e.p.slots <- struct{}{}:
				return true
			default:
			}
		}
		select {
		case <-ticker.C:
		case <-a.ctx.Done():
		}
	}
}

// help has one child read pages until it is told to end, or ends. It reports
// whether there may be another one.
func (a *assistance) help() (again bool) {
	p := a.e.p
	c, err := p.lease(a.ctx)
	if err != nil {
		return false
	}
	a.mu.Lock()
	a.helper, a.leaving = c, false
	a.mu.Unlock()
	carrier := &pageCarrier{a: a}
	job := a.e.job()
	job.Assist = true
	err = p.converse(a.ctx, c, carrier, nil, frameJob, job, a.e.request.File)
	a.mu.Lock()
	a.helper = nil
	over := a.over
	a.mu.Unlock()
	p.giveBack(c)
	broken := 0
	var died *deathError
	switch {
	case a.ctx.Err() != nil || over && err == nil:
		return false
	case err == nil:
	case errors.As(err, &died) && !died.accepted, carrier.page == 0 || died == nil && !endsChild(err):
		again = false
		a.tell(helpMessage{})
		return false
	default:
		broken = carrier.page
		if !a.blame(broken, err) {
			return false
		}
	}
	return a.tell(helpMessage{Broken: broken})
}

// blame notes a page that ended the helper. It reports whether the document
// may go on.
func (a *assistance) blame(page int, err error) bool {
	var died *deathError
	if errors.As(err, &died) {
		err = died.coded()
	}
	e := a.e
	e.dead++
	e.failed = append(e.failed, endedOn(page, err))
	e.part.Skip = append(e.part.Skip, page)
	if e.dead < maxDead {
		return true
	}
	a.fatal = err
	a.fail(err)
	return false
}

// tell says to the document's child what became of its helper.
func (a *assistance) tell(m helpMessage) bool {
	if a.main.send(frameHelp, m, nil) != nil {
		a.fail(a.e.p.silenceError())
		return false
	}
	return true
}

// pageCarrier takes the frames of a helper and passes its pages on.
type pageCarrier struct {
	a        *assistance
	accepted bool
	page     int // that it is about to read
}

func (c *pageCarrier) wasAccepted() bool { return c.accepted }

func (c *pageCarrier) take(t frameType, payload []byte, _ func(Progress)) (*finished, error) {
	if c.accepted == (t == frameAccepted) {
		return nil, fmt.Errorf("%w: %q out of turn", errFrame, t)
	}
	switch t {
	case frameAccepted:
		c.accepted = true
		if !c.a.tell(helpMessage{Joined: true}) {
			return nil, context.Canceled
		}
		return nil, nil
	case frameFormat, frameProgress:
		return nil, nil
	case framePage:
		return nil, decode(t, payload, &c.page)
	case framePages:
		if err := c.a.main.sendRaw(framePages, payload); err != nil {
			c.a.fail(c.a.e.p.silenceError())
			return nil, err
		}
		return nil, nil
	case frameDone:
		return &finished{}, nil
	case frameError:
		var e errorMessage
		if err := decode(t, payload, &e); err != nil {
			return nil, err
		}
		return &finished{err: &e}, nil
	default:
		return nil, fmt.Errorf("%w: type %q", errFrame, t)
	}
}

// endedOn is what is said of a page that ended its reader.
func endedOn(page int, err error) PageError {
	return PageError{Page: page, Message: "This page ended its reader: " + err.Error()}
}

var _ block.Helped = (*frameSink)(nil)
