package extract

import (
	"context"
	"sync"
	"time"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// aliveEvery is how often a child that waits for another one says that it is alive.
const aliveEvery = time.Second

// mail is what came for the document in work, by way of the parent, from the
// other process that reads pages of it. It is filled by the goroutine that reads the channel,
// which must never wait.
type mail struct {
	mu     sync.Mutex
	open   bool // a document is in work
	news   []block.News
	orders []orderMessage
	ready  chan struct{} // has room for one: something came
}

// begin empties the box for a document.
func (m *mail) begin() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.open, m.news, m.orders, m.ready = true, nil, nil, make(chan struct{}, 1)
}

// end throws away what comes from now on: it is late.
func (m *mail) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.open, m.news, m.orders = false, nil, nil
}

// takes reports whether a request is mail, and keeps it if a document is in work.
func (m *mail) takes(r request) (bool, error) {
	var news block.News
	var order orderMessage
	switch r.t {
	case framePages:
		news.Pages = r.payload
	case frameHelp:
		var h helpMessage
		if err := decode(r.t, r.payload, &h); err != nil {
			return true, err
		}
		news = block.News{Joined: h.Joined, Left: !h.Joined, Broken: h.Broken}
	case frameOrder:
		if err := decode(r.t, r.payload, &order); err != nil {
			return true, err
		}
	default:
		return false, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.open {
		return true, nil
	}
	if r.t == frameOrder {
		m.orders = append(m.orders, order)
	} else {
		m.news = append(m.news, news)
	}
	select {
	case m.ready <- struct{}{}:
	default:
	}
	return true, nil
}

// wait returns when take gives true, ctx ended or the channel broke; it says
// meanwhile that the process is alive, on no page.
func (m *mail) wait(ctx context.Context, out *frameWriter, take func() bool) error {
	m.mu.Lock()
	ready := m.ready
	m.mu.Unlock()
	ticker := time.NewTicker(aliveEvery)
	defer ticker.Stop()
	for {
		m.mu.Lock()
		done := take()
		m.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-ready:
		case <-ticker.C:
			if err := out.send(framePage, 0); err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Help implements block.Helped.
func (s *frameSink) Help() (block.Helper, error) {
	return &helperLink{out: s.out, mail: s.mail}, s.out.send(frameWanted, nil)
}

// helperLink is the other process, seen by the one that has the document.
type helperLink struct {
	out  *frameWriter
	mail *mail
}

// News implements block.Helper.
func (h *helperLink) News(ctx context.Context, wait bool) (news []block.News, err error) {
	take := func() bool {
		news, h.mail.news = h.mail.news, nil
		return !wait || len(news) > 0
	}
	if !wait {
		h.mail.mu.Lock()
		defer h.mail.mu.Unlock()
		take()
		return news, nil
	}
	err = h.mail.wait(ctx, h.out, take)
	return news, err
}

// Read implements block.Helper.
func (h *helperLink) Read(first, last int) error {
	return h.out.send(frameOrder, orderMessage{First: first, Last: last})
}

// Release implements block.Helper.
func (h *helperLink) Release() error { return h.out.send(frameOrder, orderMessage{}) }

// orderSink is the sink of a child that reads pages for another one.
type orderSink struct {
	frameSink
}

// Next implements block.Orders.
func (s *orderSink) Next(ctx context.Context) (first, last int, ok bool, err error) {
	var order orderMessage
	err = s.mail.wait(ctx, s.out, func() bool {
		if len(s.mail.orders) == 0 {
			return false
		}
		order, s.mail.orders = s.mail.orders[0], s.mail.orders[1:]
		return true
	})
	return order.First, order.Last, err == nil && order.First > 0, err
}

// Send implements block.Orders.
func (s *orderSink) Send(pages []byte) error { return s.out.sendBytes(framePages, pages) }
