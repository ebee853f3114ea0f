package health

import (
	"strconv"
	"strings"
	"testing"

	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq"
)

// pythonWorker writes what RQ's own worker registers.
func (f *fixture) pythonWorker(name string, queues ...string) {
	f.t.Helper()
	ctx := f.t.Context()
	f.rdb.HSet(ctx, "rq:worker:"+name, "queues", strings.Join(queues, ","), "python_version", "3.11.2", "version", "2.12.0", "hostname", "there", "pid", "9", "state", "idle")
	f.rdb.SAdd(ctx, "rq:workers", "rq:worker:"+name)
	for _, q := range queues {
		f.rdb.SAdd(ctx, "rq:workers:"+q, "rq:worker:"+name)
	}
}

func shares(t *testing.T, test func(t *testing.T, f *fixture)) {
	t.Helper()
	t.Parallel()
	redistest.Each(t, func(t *testing.T, srv *redistest.Server) {
		test(t, newFixture(t, srv, func(c *Config) { c.Functions = []string{"docsvc.process_document", "docsvc.cleanup"} }))
	})
}

func (f *fixture) job(queue, function string) {
	f.t.Helper()
	if _, err := f.queue.Enqueue(f.t.Context(), rq.Spec{Queue: queue, Func: function}); err != nil {
		f.t.Fatal(err)
	}
}

func TestSharedQueue(t *testing.T) {
	shares(t, func(t *testing.T, f *fixture) {
		f.worker("document_processing", "mails")
		f.pythonWorker("py1", "mails", "reports")
		f.pythonWorker("py2", "mails")
		f.job("document_processing", "not.shared") // no Python worker there
		f.job("reports", "not.ours")               // no docsvc worker there
		f.job("mails", "docsvc.process_document")
		f.want(Healthy)
		for _, name := range []string{"app.send", "app.\x1b[31msend", "app.send", "app.c", "app.d"} {
			f.job("mails", name)
		}
		r := f.want(Degraded, "Queue mails is served by 2 Python and 1 docsvc workers, but docsvc doesn't know app.send, app.?[31msend, app.c, 1 more, which waits there")
		if !strings.Contains(r.Reasons[0], "`--queues`") {
			t.Error(r.Reasons)
		}
		// Python's workers gone: the jobs are docsvc's to fail, as its log says.
		f.rdb.Del(t.Context(), "rq:worker:py1", "rq:worker:py2")
		f.want(Healthy)
	})
}

// Entries without a job or with one that is too large are not foreign, and
// only the head is looked at.
func TestSharedQueueIsLookedAtWithinBounds(t *testing.T) {
	shares(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		f.worker("mails")
		f.pythonWorker("py1", "mails")
		f.rdb.RPush(ctx, "rq:queue:mails", "gone")
		f.rdb.HSet(ctx, "rq:job:big", "status", "queued", "data", strings.Repeat("x", 1<<20))
		f.rdb.RPush(ctx, "rq:queue:mails", "big")
		for range sharedHead {
			f.job("mails", "docsvc.cleanup")
		}
		f.job("mails", "app.far.behind")
		f.want(Healthy)
		f.rdb.HSet(ctx, "rq:job:odd", "status", "queued", "data", "neither pickle nor JSON")
		f.rdb.LPush(ctx, "rq:queue:mails", "odd")
		f.want(Degraded, "doesn't know a payload in a form of its own")
	})
}

// However many queues are shared, only so many are looked into.
func TestSharedQueuesAreBounded(t *testing.T) {
	shares(t, func(t *testing.T, f *fixture) {
		var queues []string
		for i := range sharedQueues + 5 {
			queues = append(queues, "q"+strconv.Itoa(100+i))
			f.job(queues[i], "app.x")
		}
		f.worker(queues...)
		f.pythonWorker("py1", queues...)
		if r := f.Check(t.Context()); len(r.Reasons) != sharedQueues {
			t.Errorf("%d reasons", len(r.Reasons))
		}
	})
}
