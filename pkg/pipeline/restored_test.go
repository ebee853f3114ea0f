package pipeline

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/objstore"
	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq"
)

// remember returns what puts Redis back to how it is now.
func (r *rig) remember() (forget func()) {
	r.t.Helper()
	ctx := context.Background()
	saved := map[string]string{}
	for _, key := range r.rdb.Keys(ctx, "*").Val() {
		dump, err := r.rdb.Dump(ctx, key).Result()
		if err != nil {
			r.t.Fatal(err)
		}
		saved[key] = dump
	}
	return func() {
		r.t.Helper()
		if err := r.rdb.FlushAll(ctx).Err(); err != nil {
			r.t.Fatal(err)
		}
		for key, dump := range saved {
			if err := r.rdb.Restore(ctx, key, 0, dump).Err(); err != nil {
				r.t.Fatal(err)
			}
		}
	}
}

// Redis forgets a commit after which the upload was removed, as in a failover:
// the document must not be lost, since its text and chunks are there.
func TestACommitThatRedisForgot(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		p := r.pipeline()
		u := r.upload("a.txt", sample)
		r.process(u)
		// Its result is stored, and Redis has never heard of it.
		task, _, err := r.byHand(p)
		if err != nil {
			t.Fatal(err)
		}
		d := r.doc(u.DocumentID)
		for _, err := range r.store.Delete(context.Background(), d.UploadKey) {
			t.Fatal(err)
		}
		back := []rq.Outcome{{Execution: task.Execution, Job: task.Job, Kind: rq.OutcomeReturnHead}}
		if done, err := r.queue.Finish(context.Background(), back); err != nil || done[0].Err != nil {
			t.Fatal(done, err)
		}
		r.work()
		if after := r.committed(d.ID, sample); after.ExecutionID != task.Execution.ID {
			t.Errorf("committed execution %s, want %s", after.ExecutionID, task.Execution.ID)
		}
		r.until("the record to say that the upload is gone", func() bool { return r.doc(d.ID).UploadRemoved })
	})
}

// A process that Redis forgets although its document was completed: the record
// awaits its upload again, which is gone. The client's next process, or the end
// of its URL when it doesn't ask, brings back what is in the bucket.
func TestAProcessThatRedisForgot(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	var ahead atomic.Int64
	clock := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	r := newRig(t, redistest.Start(t, redistest.RedisServer), func(c *document.Config) { c.Clock = clock })
	asks, silent := r.upload("a.txt", sample), r.upload("b.txt", sample+" More.")
	never := r.upload("c.txt", sample+" Never processed.")
	forget := r.remember()
	p := r.pipeline()
	for _, u := range []*document.Upload{asks, silent} {
		r.process(u)
		task, res, err := r.byHand(p)
		if err != nil {
			t.Fatal(err)
		}
		if c := r.finish(task, res); c != nil {
			t.Fatal(c)
		}
		res.Settled(ctx, true)
		r.committed(u.DocumentID, map[string]string{asks.DocumentID: sample, silent.DocumentID: sample + " More."}[u.DocumentID])
	}
	forget()
	if d := r.doc(asks.DocumentID); d.Status != document.AwaitingUpload {
		t.Fatalf("it is %s; want it to have forgotten", d.Status)
	}
	r.process(asks)
	r.work()
	r.committed(asks.DocumentID, sample)
	ahead.Store(int64(48 * time.Hour))
	if n, _, err := r.docs.ExpireUploads(ctx, 10); err != nil || n != 1 {
		t.Errorf("%d uploads expired, %v; want the one that was never processed", n, err)
	}
	r.committed(silent.DocumentID, sample+" More.")
	if d := r.doc(never.DocumentID); d.ErrorCode != document.CodeUploadExpired {
		t.Errorf("it failed as %q", d.ErrorCode)
	}
	if l, err := r.docs.Ledger(ctx); err != nil || l.Unaccounted != 0 {
		t.Errorf("the ledger: %+v, %v", l, err)
	}
}

// Redis forgets that documents were duplicates, whose uploads were removed:
// they are duplicates again, also when the first was forgotten with them, and
// when their client has to ask once more. Nobody needs to upload them again.
func TestADuplicateThatRedisForgot(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	r := newRig(t, redistest.Start(t, redistest.RedisServer))
	first, same, asks := r.upload("a.txt", sample), r.upload("b.txt", sample), r.upload("c.txt", sample)
	r.process(first)
	r.process(same)
	forget := r.remember()
	r.process(asks)
	p := r.pipeline()
	for range 3 { // one after the other: which of two at once is the first, nobody says
		task, res, err := r.byHand(p)
		if err != nil {
			t.Fatal(err)
		}
		if c := r.finish(task, res); c != nil {
			t.Fatal(c)
		}
		res.Settled(ctx, true)
	}
	r.committed(first.DocumentID, sample)
	for _, u := range []*document.Upload{same, asks} {
		if _, err := r.store.Stat(ctx, r.await(u.DocumentID, document.Duplicate).UploadKey); !errors.Is(err, objstore.ErrNotFound) {
			t.Fatalf("looking for the upload of a duplicate: %v", err)
		}
	}
	forget()
	if a, b, c := r.doc(first.DocumentID).Status, r.doc(same.DocumentID).Status, r.doc(asks.DocumentID).Status; a != document.Uploaded ||
		b != document.Uploaded || c != document.AwaitingUpload {
		t.Fatalf("they are %s, %s and %s; want them to have forgotten", a, b, c)
	}
	r.process(asks)
	r.work()
	r.committed(first.DocumentID, sample)
	for _, u := range []*document.Upload{same, asks} {
		if d := r.await(u.DocumentID, document.Duplicate); d.DuplicateOf != first.DocumentID || d.Words == 0 {
			t.Errorf("%s is a duplicate of %q with %d words", d.Filename, d.DuplicateOf, d.Words)
		}
	}
}

// Redis forgets a commit, and with it that the job was taken from a run that
// had stored its result and was cut off: that run holds the job again and
// commits. What it names must be there, and be there to the end.
func TestRedisForgetsWhoCommitted(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	r := newRig(t, redistest.Start(t, redistest.RedisServer))
	p := r.pipeline()
	u := r.upload("a.txt", sample)
	r.process(u)
	slow, slowResult, err := r.byHand(p)
	if err != nil {
		t.Fatal(err)
	}
	forget := r.remember()
	back := []rq.Outcome{{Execution: slow.Execution, Job: slow.Job, Kind: rq.OutcomeReturnHead}}
	if done, err := r.queue.Finish(ctx, back); err != nil || done[0].Err != nil {
		t.Fatal(done, err)
	}
	task, res, err := r.byHand(p)
	if err != nil {
		t.Fatal(err)
	}
	if c := r.finish(task, res); c != nil {
		t.Fatal(c)
	}
	res.Settled(ctx, true)
	r.committed(u.DocumentID, sample)

	forget()
	if c := r.finish(slow, slowResult); c != nil {
		t.Fatal(c)
	}
	slowResult.Settled(ctx, true)
	if d := r.committed(u.DocumentID, sample); d.ExecutionID != slow.Execution.ID {
		t.Errorf("committed execution %s, want %s", d.ExecutionID, slow.Execution.ID)
	}
}
