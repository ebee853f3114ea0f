package document

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/objstore"
	"github.com/docsvc/docsvc/pkg/rq"
)

// errKilled is what everything answers that a killed process asks.
var errKilled = errors.New("killed")

// mortal counts calls to Redis and storage and lets the process that makes
// them die at one of them: nothing is done any more then. done says whether the
// call that it dies at was carried out.
type mortal struct {
	calls atomic.Int64
	at    int64
	done  bool
}

// dead counts a call and says whether it is made, and whether its answer is seen.
func (m *mortal) dead() (skip, mute bool) {
	n := m.calls.Add(1)
	return n > m.at || n == m.at && !m.done, n >= m.at
}

func (m *mortal) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (m *mortal) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		skip, mute := m.dead()
		var err error
		if !skip {
			err = next(ctx, cmd)
		}
		if mute {
			cmd.SetErr(errKilled)
			return errKilled
		}
		return err
	}
}

func (m *mortal) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		skip, mute := m.dead()
		var err error
		if !skip {
			err = next(ctx, cmds)
		}
		if mute {
			for _, cmd := range cmds {
				cmd.SetErr(errKilled)
			}
			return errKilled
		}
		return err
	}
}

type mortalTransport struct {
	*mortal
	next http.RoundTripper
}

func (m mortalTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	skip, mute := m.dead()
	if skip {
		return nil, errKilled
	}
	resp, err := m.next.RoundTrip(r)
	if mute && err == nil {
		_ = resp.Body.Close()
		return nil, errKilled
	}
	return resp, err
}

// dying is the same installation as a process that dies at a call sees it.
func (f *fixture) dying(at int64, done bool) (*Service, *mortal) {
	f.t.Helper()
	m := &mortal{at: at, done: done}
	rdb := f.redis.Client(f.t)
	rdb.AddHook(m)
	sc := f.s3.StoreConfig(f.t)
	sc.Attempts, sc.Transport = 1, mortalTransport{m, sc.Transport}
	store, err := objstore.Open(sc)
	if err != nil {
		f.t.Fatal(err)
	}
	c := f.c
	c.Store = store
	c.Queue = rq.New(rdb, rq.Options{Clock: f.clock.now, Effects: Effects("")})
	return New(c), m
}

// settled sweeps once, as a worker does every ten seconds, and checks that
// document and job agree afterwards: there is nothing, or a job that runs, or
// an end that stays.
func (f *fixture) settled(id string) (*Document, *rq.Job) {
	f.t.Helper()
	f.rdb.Del(f.t.Context(), f.k.sweepLock())
	if _, err := f.Sweep(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	d, err := f.Record(f.t.Context(), id)
	if isNotFound(err) {
		return nil, nil
	}
	if err != nil {
		f.t.Fatal(err)
	}
	job, err := f.queue.Job(f.t.Context(), d.JobID)
	if errors.Is(err, rq.ErrNoJob) {
		job = nil
	} else if err != nil {
		f.t.Fatal(err)
	}
	f.wantState(id, d.Status)
	inQueue := f.rdb.LRange(f.t.Context(), "rq:queue:document_processing", 0, -1).Val()
	waits := 0
	for _, j := range inQueue {
		if j == d.JobID {
			waits++
		}
	}
	switch {
	case d.Status == AwaitingUpload && (job != nil || waits > 0),
		d.Status == Uploaded && (job == nil || job.Status != rq.StatusQueued || waits != 1),
		d.Status == Canceled && (waits > 0 || job != nil && job.Status != rq.StatusCanceled):
		f.t.Errorf("the document is %s, its job %+v, %d entries in the queue", d.Status, job, waits)
	}
	return d, job
}

// everywhere runs do in a process that dies at its first, second, ... call,
// before or after that was carried out, until it lives to the end.
func (f *fixture) everywhere(do func(s *Service, up *Upload) error, prepare func() *Upload, check func(up *Upload, died bool)) {
	f.t.Helper()
	for _, done := range []bool{false, true} {
		for at := int64(1); ; at++ {
			if at > 100 {
				f.t.Fatal("it makes more than a hundred calls")
			}
			up := prepare()
			s, m := f.dying(at, done)
			err := do(s, up)
			died := m.calls.Load() >= at
			if !died && err != nil {
				f.t.Fatalf("with nobody killed: %v", err)
			}
			check(up, died)
			if f.t.Failed() {
				f.t.Fatalf("killed at call %d, which was carried out: %t", at, done)
			}
			if !died {
				break
			}
		}
	}
}

// ready is an upload that waits to be processed.
func (f *fixture) ready() *Upload {
	f.t.Helper()
	f.forget()
	up := f.presign(5, nil)
	f.put(up, "hello")
	return up
}

// An API server killed between any two steps of process leaves either nothing
// or a job that runs, and asked again it answers that job.
func TestProcessKilledAnywhere(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.everywhere(func(s *Service, up *Upload) error {
			_, err := s.Process(t.Context(), up.DocumentID, ProcessRequest{UploadID: up.UploadID, Password: "secret"})
			return err
		}, f.ready, func(up *Upload, died bool) {
			d, job := f.settled(up.DocumentID)
			if !died && d.Status != Uploaded || died && d.Status != Uploaded && d.Status != AwaitingUpload {
				t.Fatalf("died %t: the document is %s", died, d.Status)
			}
			again := f.process(up, nil)
			if job != nil && again.JobID != job.ID {
				t.Errorf("job %s, asked again %s", job.ID, again.JobID)
			}
			if d, _ := f.settled(up.DocumentID); d.Status != Uploaded {
				t.Errorf("asked again the document is %s", d.Status)
			}
			if c := f.claim(); c.Job.ID != again.JobID {
				t.Errorf("the job that runs is %s, the one that was answered %s", c.Job.ID, again.JobID)
			}
		})
	})
}

// The same of presign: a document that nobody was told of ends by itself.
func TestPresignKilledAnywhere(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.everywhere(func(s *Service, _ *Upload) error {
			_, err := s.Presign(t.Context(), NewUpload{Filename: "a.pdf", FileSize: 5, ContentType: "application/pdf"})
			return err
		}, func() *Upload { f.forget(); return nil }, func(*Upload, bool) {
			f.clock.forward(2 * f.c.UploadTTL)
			for _, ids := range f.states() {
				for _, id := range ids {
					if d, _ := f.settled(id); d == nil || d.Status != Failed || d.ErrorCode != CodeUploadExpired {
						t.Errorf("it is %+v", d)
					}
				}
			}
		})
	})
}

// Cancel at any moment: the job is canceled with its document, or neither is.
func TestCancelKilledAnywhere(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.everywhere(func(s *Service, up *Upload) error {
			_, err := s.queue.Cancel(t.Context(), f.get(up.DocumentID).JobID)
			return err
		}, func() *Upload { up := f.ready(); f.process(up, nil); return up }, func(up *Upload, died bool) {
			d, job := f.settled(up.DocumentID)
			if (d.Status == Canceled) != (job.Status == rq.StatusCanceled) || !died && d.Status != Canceled {
				t.Errorf("died %t: the document is %s, its job %s", died, d.Status, job.Status)
			}
		})
	})
}

// Delete at any moment: either nothing has happened, or the document is canceled
// (delete cancels its job first, and may be asked again), or all of it is gone.
func TestDeleteKilledAnywhere(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		var job string
		f.everywhere(func(s *Service, up *Upload) error {
			return s.Delete(t.Context(), up.DocumentID)
		}, func() *Upload { up := f.ready(); job = f.process(up, nil).JobID; return up }, func(up *Upload, died bool) {
			d, _ := f.settled(up.DocumentID)
			if d != nil && (!died || d.Status != Uploaded && d.Status != Canceled) {
				t.Fatalf("died %t: the document is %s", died, d.Status)
			}
			if d != nil {
				if err := f.Delete(t.Context(), up.DocumentID); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := f.queue.Job(t.Context(), job); !errors.Is(err, rq.ErrNoJob) {
				t.Errorf("its job is there: %v", err)
			}
			if n := f.rdb.LLen(t.Context(), "rq:queue:document_processing").Val(); n != 0 {
				t.Errorf("%d entries in the queue", n)
			}
			f.clock.forward(2 * removeGrace)
			f.rdb.Del(t.Context(), f.k.keepLock())
			if _, err := f.Keep(t.Context()); err != nil {
				t.Fatal(err)
			}
			if f.exists(UploadKey(up.DocumentID, up.UploadID)) {
				t.Error("its upload is still there")
			}
		})
	})
}
