package document

import (
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq"
)

// machine takes documents through their lives, in any order, together with
// another tool that deletes and ends jobs behind docsvc's back.
type machine struct {
	*fixture
	t        *rapid.T
	uploads  []*Upload
	accepted map[string]bool // ever
	deleted  map[string]bool
	run      *modelRun // what worker w1 works on
}

type modelRun struct {
	c    rq.Claimed
	d    *Document
	lost bool // the job was canceled or deleted since
}

// Whatever happens in whatever order: the ledger's sums are right after every
// step, a document and its job agree after every sweep, and in the end nothing
// waits that nobody works on. "make model" runs it at length.
//
// It goes red when deleting leaves a document in the ledger, when accepting
// counts one again, when the guards of effects always hold, when the sweep
// passes by jobs that were deleted or that failed, when finish.lua isn't fenced
// by the execution, and when enqueue.lua leaves the executions of a job that
// was deleted to the one enqueued anew, as it did. It stays green when effects
// aren't guarded by the record's job: no document has two here, see
// TestEffectsLeaveOthersAlone.
func TestModel(t *testing.T) {
	t.Parallel()
	f := newFixture(t, redistest.Start(t, redistest.Miniredis), nil)
	rapid.Check(t, func(t *rapid.T) {
		f.forget()
		f.rdb.HSet(f.t.Context(), f.k.ledger(), ledgerSince, "x")
		x := &machine{fixture: f, t: t, accepted: map[string]bool{}, deleted: map[string]bool{}}
		t.Repeat(map[string]func(*rapid.T){
			"":           func(*rapid.T) { x.sums() },
			"accept":     x.step(x.accept),
			"advance":    x.step(x.advance),
			"begin":      x.step(x.start),
			"begin more": x.step(x.start), // twice as often as others
			"cancel":     x.step(x.cancelJob),
			"delete":     x.step(x.remove),
			"finish":     x.step(x.end),
			"foreign":    x.step(x.foreign),
			"presign":    x.step(x.upload),
			"process":    x.step(x.ask),
			"retry":      x.step(x.retry),
			"sweep":      x.step(x.agree),
		})
		x.t = t
		x.settle()
	})
}

func (x *machine) step(do func()) func(*rapid.T) {
	return func(t *rapid.T) {
		x.t = t
		do()
	}
}

// recent are the uploads that things happen to, so that much happens to each.
func (x *machine) recent() []*Upload { return x.uploads[max(0, len(x.uploads)-3):] }

func (x *machine) some() string {
	if len(x.uploads) == 0 {
		x.t.Skip("no document yet")
	}
	return rapid.SampledFrom(x.recent()).Draw(x.t, "document").DocumentID
}

// job is that of some document, "" when there is none.
func (x *machine) job() string {
	d, err := x.Get(x.fixture.t.Context(), x.some())
	if err != nil || d.JobID == "" {
		x.t.Skip("it has no job")
	}
	return d.JobID
}

func (x *machine) advance() {
	x.clock.forward(rapid.SampledFrom([]time.Duration{time.Second, 11 * time.Second, 61 * time.Second}).Draw(x.t, "time"))
	x.due()
}

// due makes scheduled jobs due and queues them. Redis's clock doesn't follow
// the test's.
func (x *machine) due() {
	ctx, scheduled := x.fixture.t.Context(), "rq:scheduled:document_processing"
	for _, id := range x.rdb.ZRange(ctx, scheduled, 0, -1).Val() {
		x.rdb.ZAddXX(ctx, scheduled, redis.Z{Score: 1, Member: id})
	}
	if _, _, err := x.queue.MoveDue(ctx, []string{"document_processing"}, time.Time{}); err != nil {
		x.t.Fatal(err)
	}
}

func (x *machine) upload() {
	up := x.presign(5, nil)
	if rapid.IntRange(0, 4).Draw(x.t, "stored") > 0 {
		x.put(up, "hello")
	}
	x.uploads = append(x.uploads, up)
}

func (x *machine) ask() {
	if len(x.uploads) == 0 {
		x.t.Skip("no document yet")
	}
	x.request(rapid.SampledFrom(x.recent()).Draw(x.t, "upload"))
}

// accept is an upload that is processed at once.
func (x *machine) accept() {
	up := x.presign(5, nil)
	x.put(up, "hello")
	x.uploads = append(x.uploads, up)
	x.request(up)
}

func (x *machine) request(up *Upload) {
	_, err := x.Process(x.fixture.t.Context(), up.DocumentID, ProcessRequest{UploadID: up.UploadID})
	var refused *Error
	switch {
	case err == nil:
		if x.deleted[up.DocumentID] {
			x.t.Fatalf("%s was deleted, and accepted", up.DocumentID)
		}
		x.accepted[up.DocumentID] = true
	case !errors.As(err, &refused) || refused.Kind == Unavailable:
		x.t.Fatalf("process: %v", err)
	}
}

func (x *machine) start() {
	if x.run != nil {
		x.t.Skip("the worker has a document")
	}
	x.worker()
	ctx := x.fixture.t.Context()
	list, err := x.queue.Claim(ctx, rq.ClaimRequest{Worker: []string{"w1"}, Queues: []string{"document_processing"}})
	if err != nil {
		x.t.Fatal(err)
	}
	if len(list) == 0 {
		x.t.Skip("no job waits")
	}
	d, err := x.Begin(ctx, list[0].Job)
	if err != nil {
		x.t.Fatalf("beginning job %s: %v", list[0].Job.ID, err)
	}
	effects, labels := x.ProgressEffects(d, Progress{Status: Extracting, Percent: 10, Step: "extracting text", Attempt: true})
	if err := x.queue.Progress(ctx, list[0].Execution, effects, labels); err != nil {
		x.t.Fatal(err)
	}
	x.run = &modelRun{c: list[0], d: d}
}

// lose notes that the worker has no job any more, if it is that one.
func (x *machine) lose(job string) {
	if x.run != nil && x.run.c.Job.ID == job {
		x.run.lost = true
	}
}

// end is the worker's. One who has lost the job changes nothing.
func (x *machine) end() {
	if x.run == nil {
		x.t.Skip("the worker has no document")
	}
	o := rq.Outcome{Execution: x.run.c.Execution, Job: x.run.c.Job, Error: "damaged", ErrorCode: "corrupt",
		Kind: rapid.SampledFrom([]rq.OutcomeKind{rq.OutcomeFinish, rq.OutcomeFail, rq.OutcomeRetry, rq.OutcomeReturnHead}).Draw(x.t, "outcome")}
	if o.Kind == rq.OutcomeFinish {
		o.Error, o.ErrorCode = "", ""
		m := x.stored(x.run.d, x.manifest(x.run.d, o.Execution.ID, "sha-"+x.run.d.ID, "text-"+x.run.d.ID))
		o.Effects, o.Conditions = x.Complete(x.run.d, m)
	}
	lost, record := x.run.lost, x.k.document(x.run.d.ID)
	before := x.rdb.HGetAll(x.fixture.t.Context(), record).Val()
	x.run = nil
	done, err := x.queue.Finish(x.fixture.t.Context(), []rq.Outcome{o})
	if err != nil || (done[0].Err != nil && !errors.Is(done[0].Err, rq.ErrLateFinish)) {
		x.t.Fatalf("finish: %+v, %v", done, err)
	}
	after := x.rdb.HGetAll(x.fixture.t.Context(), record).Val()
	if lost && (done[0].Err == nil || !maps.Equal(before, after)) {
		x.t.Fatalf("a worker without the job ended it: %+v; the record %v, before %v", done, after, before)
	}
}

// tolerated fails for errors other than that the job is gone or final.
func (x *machine) tolerated(what string, err error) {
	var state *rq.StateError
	var refused *Error
	if err != nil && !errors.As(err, &state) && !errors.Is(err, rq.ErrNoJob) && (!errors.As(err, &refused) || refused.Kind == Unavailable) {
		x.t.Fatalf("%s: %v", what, err)
	}
}

func (x *machine) cancelJob() {
	id := x.job()
	_, err := x.queue.Cancel(x.fixture.t.Context(), id)
	x.tolerated("cancel", err)
	x.lose(id)
}

func (x *machine) retry() {
	_, err := x.Retry(x.fixture.t.Context(), x.job())
	x.tolerated("retry", err)
}

func (x *machine) remove() {
	id := x.some()
	if d, err := x.Get(x.fixture.t.Context(), id); err == nil {
		x.lose(d.JobID)
	}
	if err := x.Delete(x.fixture.t.Context(), id); (err != nil) != x.deleted[id] || (err != nil && !isNotFound(err)) {
		x.t.Fatalf("delete of %s (deleted before: %v): %v", id, x.deleted[id], err)
	}
	x.deleted[id] = true
}

// foreign is another tool that takes a job out of the queue: it deletes it, or
// says that it failed or was canceled.
func (x *machine) foreign() {
	ctx, id := x.fixture.t.Context(), x.job()
	to := ""
	switch status := x.rdb.HGet(ctx, rq.JobKey(id), "status").Val(); rq.Status(status) {
	case rq.StatusQueued, rq.StatusScheduled:
		to = rapid.SampledFrom([]string{"", "failed", "canceled"}).Draw(x.t, "to")
	}
	x.rdb.LRem(ctx, rq.QueueKey("document_processing"), 0, id)
	x.rdb.ZRem(ctx, "rq:scheduled:document_processing", id)
	if to != "" {
		x.rdb.HSet(ctx, rq.JobKey(id), "status", to)
		return
	}
	x.rdb.Del(ctx, rq.JobKey(id))
	x.lose(id)
}

// sums are right at any moment.
func (x *machine) sums() {
	l, err := x.Ledger(x.fixture.t.Context())
	if err != nil {
		x.t.Fatal(err)
	}
	var deleted int64
	for id := range x.accepted {
		if x.deleted[id] {
			deleted++
		}
	}
	if l.Unaccounted != 0 || l.LostDocuments != 0 || l.Accepted != int64(len(x.accepted)) || l.Deleted != deleted || l.Seeded != 0 {
		x.t.Fatalf("%d documents accepted, %d of them deleted; the ledger: %+v", len(x.accepted), deleted, l)
	}
}

// agree sweeps; then every document and its job agree.
func (x *machine) agree() {
	x.sweep()
	for _, up := range x.uploads {
		d, err := x.Get(x.fixture.t.Context(), up.DocumentID)
		if isNotFound(err) == x.deleted[up.DocumentID] && isNotFound(err) {
			continue
		}
		if err != nil {
			x.t.Fatalf("document %s, deleted: %v: %v", up.DocumentID, x.deleted[up.DocumentID], err)
		}
		status := ""
		if d.JobID != "" {
			if status, err = x.rdb.HGet(x.fixture.t.Context(), rq.JobKey(d.JobID), "status").Result(); err != nil {
				status = "gone"
			}
		}
		ended := status == "" || status == "gone" || rq.Status(status).Final()
		if d.Status.Active() == ended {
			x.t.Fatalf("document %s is %s, its job %q is %q", d.ID, d.Status, d.JobID, status)
		}
	}
}

// settle works until nothing waits. Then no document may wait.
func (x *machine) settle() {
	ctx := x.fixture.t.Context()
	if x.run != nil {
		x.fixture.finish(x.run.c, rq.Outcome{Kind: rq.OutcomeFail, Error: "end", ErrorCode: "corrupt"})
	}
	for range 4 * (len(x.uploads) + 1) {
		x.agree()
		x.due()
		x.worker()
		list, err := x.queue.Claim(ctx, rq.ClaimRequest{Worker: []string{"w1"}, Queues: []string{"document_processing"}})
		if err != nil {
			x.t.Fatal(err)
		}
		if len(list) == 0 {
			break
		}
		if _, err := x.Begin(ctx, list[0].Job); err != nil {
			x.t.Fatalf("beginning job %s: %v", list[0].Job.ID, err)
		}
		x.fixture.finish(list[0], rq.Outcome{Kind: rq.OutcomeFail, Error: "end", ErrorCode: "corrupt"})
	}
	x.sums()
	for state, ids := range x.states() {
		if state.Active() {
			x.t.Fatalf("%s in the end: %v", state, ids)
		}
	}
}
