package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/client"
	"github.com/docsvc/docsvc/pkg/rq"
)

// taken is what the service acknowledged of a document.
type taken struct {
	sample   *sample
	id, job  string
	upload   string
	accepted call
	last     call // the acknowledged one of its fate; else accepted
	canceled bool // acknowledged, and not processed again afterwards
	deleted  bool // acknowledged
	patched  bool // acknowledged
}

// call is the time from the first asking to the answer. What was asked for was
// done at some moment in between, perhaps long before its answer got through.
type call struct{ from, to time.Time }

// since is a call that was begun then and is answered now.
func since(from time.Time) call { return call{from, time.Now()} }

// ledger is what clients and producers hold the service to.
type ledger struct {
	mu        sync.Mutex
	documents []*taken
	jobs      []noop
	refused   []string // answers that a client does not repeat
}

func (l *ledger) refuse(what string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refused = append(l.refused, fmt.Sprintf("%s: %v", what, err))
}

func (l *ledger) counts() (documents, jobs int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.documents), len(l.jobs)
}

// clients submit documents as docsvc's own client does: each call is repeated
// until it is answered.
type clients struct {
	x   *run
	api []*client.Client
	d   *draw
}

func (x *run) newClients() (*clients, error) {
	c := &clients{x: x, d: newDraw(x.o.seed, "clients")}
	for _, addr := range x.site.apis {
		api, err := client.New(client.Config{Server: "http://" + addr, Patience: 20 * time.Minute, Stall: 15 * time.Second})
		if err != nil {
			return nil, err
		}
		c.api = append(c.api, api)
	}
	return c, nil
}

func (c *clients) any() *client.Client { return c.api[c.d.intn(len(c.api))] }

// submit takes one document in and has its fate done.
func (c *clients) submit(ctx context.Context, s *sample) {
	t, err := c.take(ctx, s)
	if err != nil {
		if ctx.Err() == nil {
			c.x.ledger.refuse("document "+s.marker, err)
		}
		return
	}
	c.x.ledger.mu.Lock()
	c.x.ledger.documents = append(c.x.ledger.documents, t)
	c.x.ledger.mu.Unlock()
	if s.fate == fateNone {
		return
	}
	sleep(ctx, s.after)
	if ctx.Err() != nil {
		return
	}
	if err := c.fate(ctx, t); err != nil && ctx.Err() == nil {
		c.x.ledger.refuse(s.fate+" document "+t.id, err)
	}
}

// take presigns, uploads and asks for processing. An upload that the storage
// lost the connection of is begun anew, as ingest does.
func (c *clients) take(ctx context.Context, s *sample) (*taken, error) {
	up, err := c.any().Presign(ctx, client.NewUpload{
		Filename: s.name, FileSize: int64(len(s.body)), ContentType: s.contentType, SHA256: hex.EncodeToString(s.sum[:]), Tags: []string{"chaos"}})
	if err != nil {
		return nil, fmt.Errorf("presigning: %w", err)
	}
	if err := c.any().Put(ctx, up, bytes.NewReader(s.body), int64(len(s.body)), nil); err != nil {
		return nil, fmt.Errorf("uploading: %w", err)
	}
	from := time.Now()
	accepted, err := c.any().Process(ctx, up.DocumentID, client.ProcessRequest{UploadID: up.UploadID})
	if err != nil {
		return nil, fmt.Errorf("asking for processing: %w", err)
	}
	made := since(from)
	return &taken{sample: s, id: up.DocumentID, job: accepted.JobID, upload: up.UploadID, accepted: made, last: made}, nil
}

func (c *clients) fate(ctx context.Context, t *taken) error {
	from := time.Now()
	switch t.sample.fate {
	case fateDelete:
		// Not found: deleted by a call whose answer was lost, or forgotten by Redis.
		if err := c.any().Delete(ctx, t.id); err != nil && !client.HasCode(err, "document_not_found") {
			return err
		}
		c.note(func() { t.deleted, t.last = true, since(from) })
	case fatePatch:
		if err := c.patch(ctx, t.id, "title of "+t.sample.marker); err != nil {
			return err
		}
		c.note(func() { t.patched, t.last = true, since(from) })
	case fateCancel, fateReprocess:
		canceled, err := c.cancel(ctx, t.job)
		if err != nil || !canceled {
			return err
		}
		if t.sample.fate == fateCancel {
			c.note(func() { t.canceled, t.last = true, since(from) })
			return nil
		}
		_, err = c.any().Process(ctx, t.id, client.ProcessRequest{UploadID: t.upload})
		if err != nil && client.HasCode(err, "upload_gone") {
			return nil // it was completed first
		}
		return err
	}
	return nil
}

func (c *clients) note(change func()) {
	c.x.ledger.mu.Lock()
	defer c.x.ledger.mu.Unlock()
	change()
}

// cancel cancels a job; false when it had ended before.
func (c *clients) cancel(ctx context.Context, job string) (bool, error) {
	for ctx.Err() == nil {
		url := "http://" + c.x.site.apis[c.d.intn(len(c.x.site.apis))] + "/api/v1/queue/job/" + job + "/cancel"
		status, body, err := send(ctx, http.MethodPost, url, "{}")
		switch {
		case err == nil && status < 300:
			return true, nil
		case err == nil && status == http.StatusConflict:
			// After a lost answer the job may be canceled by the call before.
			return strings.Contains(body, `"canceled"`), nil
		case err == nil && status < 500 && status != http.StatusTooManyRequests:
			return false, fmt.Errorf("status %d: %s", status, body)
		}
		sleep(ctx, 300*time.Millisecond)
	}
	return false, ctx.Err()
}

// patch gives a document another title.
func (c *clients) patch(ctx context.Context, id, title string) error {
	for ctx.Err() == nil {
		url := "http://" + c.x.site.apis[c.d.intn(len(c.x.site.apis))] + "/api/v1/documents/" + id
		status, body, err := send(ctx, http.MethodPatch, url, fmt.Sprintf(`{"title":%q}`, title))
		switch {
		case err == nil && status < 300:
			return nil
		case err == nil && status < 500 && status != http.StatusTooManyRequests:
			return fmt.Errorf("status %d: %s", status, body)
		}
		sleep(ctx, 300*time.Millisecond)
	}
	return ctx.Err()
}

func send(ctx context.Context, method, url, text string) (status int, body string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(text))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// producer enqueues the jobs that do nothing, over a way that is cut, too.
type producer struct {
	x     *run
	rdb   *redis.Client
	queue *rq.Client
}

func (x *run) newProducer() *producer {
	rdb := redis.NewClient(&redis.Options{Addr: x.site.client.redis.Listen, DisableIdentity: true, ContextTimeoutEnabled: true})
	return &producer{x: x, rdb: rdb, queue: rq.New(rdb, rq.Options{})}
}

// enqueue repeats one enqueueing until it is answered.
func (p *producer) enqueue(ctx context.Context, n noop) {
	fn, kept := "chaos.once", 24*time.Hour
	switch {
	case n.deadly:
		fn = "chaos.deadly"
	case n.again:
		fn = "chaos.again"
	}
	spec := rq.Spec{ID: n.id, Queue: chaosQueue, Func: fn, Unique: rq.UniqueAny, ResultTTL: &kept, FailureTTL: &kept}
	if n.retries > 0 {
		spec.Retry = &rq.Retry{Max: n.retries, Intervals: []time.Duration{time.Second}}
	}
	for from := time.Now(); ctx.Err() == nil; {
		_, err := p.queue.Enqueue(ctx, spec)
		if err == nil || errors.Is(err, rq.ErrActive) {
			p.x.ledger.mu.Lock()
			n.enqueued = since(from)
			p.x.ledger.jobs = append(p.x.ledger.jobs, n)
			p.x.ledger.mu.Unlock()
			return
		}
		if !rq.IsUnavailable(err) {
			p.x.ledger.refuse("job "+n.id, err)
			return
		}
		sleep(ctx, 100*time.Millisecond)
	}
}
