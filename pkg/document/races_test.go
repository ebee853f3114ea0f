package document

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/objstore"
	"github.com/docsvc/docsvc/pkg/rq"
)

// Each of these lets somebody else act between two steps of the service, where
// a look before a write is not enough.

// cutIn does something once, right before the first script with a certain text
// among its arguments is sent.
type cutIn struct {
	text string
	do   func()
	done atomic.Bool
}

func (h *cutIn) look(cmd redis.Cmder) {
	if strings.HasPrefix(strings.ToLower(cmd.Name()), "eval") && strings.Contains(fmt.Sprint(cmd.Args()...), h.text) && h.done.CompareAndSwap(false, true) {
		h.do()
	}
}

func (h *cutIn) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (h *cutIn) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		h.look(cmd)
		return next(ctx, cmd)
	}
}

func (h *cutIn) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		for _, cmd := range cmds {
			h.look(cmd)
		}
		return next(ctx, cmds)
	}
}

// other is the same service in another process.
func (f *fixture) other() *Service {
	f.t.Helper()
	rdb := redis.NewClient(f.rdb.Options())
	f.t.Cleanup(func() { _ = rdb.Close() })
	store, err := objstore.Open(f.s3.StoreConfig(f.t))
	if err != nil {
		f.t.Fatal(err)
	}
	c := f.c
	c.Store, c.Queue = store, rq.New(rdb, rq.Options{Clock: f.clock.now, Effects: Effects("")})
	return New(c)
}

// stays fails when a deleted document has come back.
func (f *fixture) staysDeleted(id string) {
	f.t.Helper()
	if d, err := f.Get(f.t.Context(), id); err == nil {
		f.t.Errorf("the deleted document is back: %s; objects %v, claims %v, counts %v", d.Status, f.objects(),
			f.rdb.Keys(f.t.Context(), "docsvc:sha256:*").Val(), f.sums())
	}
}

func TestDeletedBetweenTheLooksOfARebuildAndItsScript(t *testing.T) {
	eachKept(t, func(t *testing.T, f *fixture) {
		f.queuedAs("x")
		d, _ := f.complete("s1", "t1")
		f.mustKeep()
		f.clock.forward(retention + time.Hour)
		if k := f.mustKeep(); k.Archived != 1 {
			t.Fatalf("%+v", k)
		}
		other := f.other()
		f.rdb.AddHook(&cutIn{text: "rebuilt", do: func() {
			if err := other.Delete(context.Background(), d.ID); err != nil {
				t.Error(err)
			}
		}})
		if _, err := f.Rebuild(t.Context(), RebuildOptions{ID: d.ID}); err != nil {
			t.Log(err)
		}
		f.staysDeleted(d.ID)
		f.clock.forward(3 * time.Hour)
		f.mustKeep()
		f.staysDeleted(d.ID)
	})
}

func TestDeletedUnderTheFirstRunOfAnObjectJob(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		if err := f.EnsureInstallation(ctx); err != nil {
			t.Fatal(err)
		}
		f.object("incoming/x.pdf", "hello")
		if _, err := f.queue.Enqueue(ctx, rq.Spec{Queue: "document_processing", Func: ObjectFunc, Args: []any{"incoming/x.pdf"}}); err != nil {
			t.Fatal(err)
		}
		c, other := f.claim(), f.other()
		// The first worker stands still here for longer than its lease.
		f.rdb.AddHook(&cutIn{text: "taken_in", do: func() {
			d, err := other.Begin(context.Background(), c.Job)
			if err == nil {
				err = other.Delete(context.Background(), d.ID)
			}
			if err != nil {
				t.Error(err)
			}
		}})
		if _, err := f.Begin(ctx, c.Job); err == nil {
			t.Error("the fenced run began")
		}
		f.staysDeleted(ObjectDocumentID(c.Job))
	})
}

// RQ keeps a failed job for a year, and docsvc remembers a deletion for hours.
func TestJobOfADeletedDocumentIsGone(t *testing.T) {
	eachKept(t, func(t *testing.T, f *fixture) {
		f.object("incoming/x.pdf", "hello")
		if _, err := f.queue.Enqueue(t.Context(), rq.Spec{Queue: "document_processing", Func: ObjectFunc, Args: []any{"incoming/x.pdf"}}); err != nil {
			t.Fatal(err)
		}
		c, d := f.begin()
		f.finish(c, rq.Outcome{Kind: rq.OutcomeFail, Error: "damaged", ErrorCode: "corrupt"})
		f.mustDelete(d.ID)
		f.clock.forward(2 * time.Hour)
		f.mustKeep()
		if all, err := f.queue.RequeueFailed(t.Context(), "document_processing", rq.RequeueOptions{}, nil); err != nil || all.Requeued != 0 {
			t.Errorf("%+v, %v", all, err)
		}
		f.staysDeleted(d.ID)
	})
}

func TestCountedBetweenReadAndDelete(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.queuedAs("x")
		d, _ := f.complete("s1", "t1")
		// As a docsvc without counters left it.
		f.rdb.HDel(t.Context(), f.k.document(d.ID), "stored_bytes")
		f.rdb.Del(t.Context(), f.k.counts())
		read := f.get(d.ID)
		f.mustRebuild(RebuildOptions{})
		if err := f.withdrawDeleted(t.Context(), read); err == nil {
			t.Error("deleted as it was read")
		}
		f.mustDelete(d.ID)
		if sums := f.sums(); len(sums) > 0 {
			t.Errorf("counters of no document: %v", sums)
		}
	})
}

func TestOneOddRecordDoesNotEndARebuild(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.queuedAs("x")
		d, _ := f.complete("s1", "t1")
		f.queuedAs("y")
		f.complete("s2", "t2")
		m, err := f.readManifest(t.Context(), d.ID, manifestKey(d.ID, f.get(d.ID).ExecutionID))
		if err != nil {
			t.Fatal(err)
		}
		var tags []string
		for i := range 300 {
			tags = append(tags, fmt.Sprint("tag ", i))
		}
		m.Record["tags"] = list(tags)
		if err := f.putManifest(t.Context(), manifestKey(d.ID, m.ExecutionID), m); err != nil {
			t.Fatal(err)
		}
		f.rdb.FlushDB(t.Context())
		r, err := f.Rebuild(t.Context(), RebuildOptions{})
		if err != nil || r.Rebuilt != 1 || r.Failed != 1 {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

// Redis comes back from a backup of before the run that completed a document,
// which has been archived since.
func TestBackupOfBeforeADocumentWasArchived(t *testing.T) {
	eachKept(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		if err := f.EnsureInstallation(ctx); err != nil {
			t.Fatal(err)
		}
		d := f.failedOne()
		f.mustKeep()
		record, state := f.rdb.HGetAll(ctx, f.k.document(d.ID)).Val(), f.k.byState(Failed)
		installation := f.rdb.Get(ctx, f.k.installation()).Val()
		f.clock.forward(time.Minute)
		f.process(&Upload{DocumentID: d.ID, UploadID: d.UploadID}, nil)
		f.complete("s1", "t1")
		execution := f.get(d.ID).ExecutionID
		f.mustKeep()
		f.clock.forward(retention + time.Hour)
		if k := f.mustKeep(); k.Archived != 1 {
			t.Fatalf("%+v", k)
		}
		f.rdb.FlushDB(ctx)
		at := redis.Z{Score: score(d.ID, time.Time{}), Member: d.ID}
		f.rdb.Set(ctx, f.k.installation(), installation, 0)
		f.rdb.HSet(ctx, f.k.document(d.ID), record)
		for _, index := range []string{f.k.all(), state, f.k.byOwner(d.Owner)} {
			f.rdb.ZAdd(ctx, index, at)
		}
		if r := f.mustRebuild(RebuildOptions{}); r.Rebuilt != 1 {
			t.Errorf("%+v", r)
		}
		if got := f.get(d.ID).Status; got != Completed {
			t.Errorf("the document is %s", got)
		}
		if v, err := f.ArtifactVerdict(ctx, d.ID, execution); err != nil || v != Keep {
			t.Errorf("cleanup's verdict on its text: %v, %v", v, err)
		}
	})
}
