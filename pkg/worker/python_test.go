package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq"
)

// python runs testdata/jobs.py: its producer, or its worker.
func (r *rig) python(bin, role string, what any) {
	r.t.Helper()
	text, err := json.Marshal(what)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, bin, "testdata/jobs.py", r.server.URL, role, string(text))
	// Nothing from outside may point RQ at another Redis, or at a proxy.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "PYTHONPATH=testdata", "PYTHONDONTWRITEBYTECODE=1", "PYTHONUTF8=1", "TZ=UTC"}
	if out, err := cmd.CombinedOutput(); err != nil {
		r.t.Fatalf("python %s: %v\n%s", role, err, out)
	}
}

// calls are the lines that jobs and callbacks wrote, in order.
func (r *rig) calls() []string {
	r.t.Helper()
	lines, err := r.rdb.LRange(context.Background(), "calls", 0, -1).Result()
	if err != nil {
		r.t.Fatal(err)
	}
	return lines
}

func (r *rig) call(format string, args ...any) {
	if err := r.rdb.RPush(context.Background(), "calls", fmt.Sprintf(format, args...)).Err(); err != nil {
		r.t.Error(err)
	}
}

// likeJobs does what testdata/jobs.py does.
func (r *rig) likeJobs(c Config) Config {
	c.Handlers = []Handler{
		{Func: "jobs.ok", Run: func(_ context.Context, t *Task) (Result, error) {
			r.call("ran %s", t.Job.ID)
			return Result{Value: 42}, nil
		}},
		{Func: "jobs.boom", Run: func(_ context.Context, t *Task) (Result, error) {
			r.call("ran %s", t.Job.ID)
			return Result{}, errors.New("broken")
		}},
	}
	succeeded := func(_ context.Context, j *rq.Job, e Ending) error {
		r.call("succeeded %s %v", j.ID, e.Result)
		return nil
	}
	failed := func(_ context.Context, j *rq.Job, e Ending) error {
		r.call("failed %s %s", j.ID, e.Err)
		return nil
	}
	c.Callbacks = map[string]Callback{
		"jobs.succeeded": succeeded,
		"jobs.failed":    failed,
		"jobs.choosy": func(ctx context.Context, j *rq.Job, e Ending) error {
			return errors.Join(succeeded(ctx, j, e), errors.New("not good enough"))
		},
		"jobs.clumsy": func(ctx context.Context, j *rq.Job, e Ending) error {
			return errors.Join(failed(ctx, j, e), errors.New("and this, too"))
		},
		"jobs.slow": func(ctx context.Context, j *rq.Job, e Ending) error {
			err := succeeded(ctx, j, e)
			<-ctx.Done()
			return errors.Join(err, context.Cause(ctx))
		},
	}
	return c
}

// asked is a job for testdata/jobs.py.
type asked map[string]any

// eachSide has Python enqueue the jobs for a worker of either side.
func eachSide(t *testing.T, jobs []asked, work func(t *testing.T, r *rig, bin string, python bool)) {
	bin := redistest.Python(t)
	for _, python := range []bool{true, false} {
		t.Run(map[bool]string{true: "python", false: "docsvc"}[python], func(t *testing.T) {
			t.Parallel()
			r := newRig(t, redistest.Start(t, redistest.RedisServer))
			r.python(bin, "enqueue", jobs)
			work(t, r, bin, python)
		})
	}
}

// drainQueue runs one worker until the queues are empty.
func (r *rig) drainQueue(bin string, python bool, change func(*Config)) {
	r.t.Helper()
	if python {
		r.python(bin, "work", asked{})
		return
	}
	c := r.likeJobs(r.config())
	c.Burst = true
	change(&c)
	if err := r.start(c).end(); err != nil {
		r.t.Error(err)
	}
}

// ended is what stands in Redis of a job at its end.
func (r *rig) ended(id string) string {
	r.t.Helper()
	j := r.job(id)
	left := "no"
	if j.RetriesLeft != nil {
		left = fmt.Sprint(*j.RetriesLeft)
	}
	res, err := r.q.LatestResult(context.Background(), id)
	if err != nil || res == nil {
		r.t.Fatalf("the result of %s: %+v, %v", id, res, err)
	}
	return fmt.Sprintf("%s, type %d, %s retries left, value %v", j.Status, res.Type, left, res.Value)
}

const soon = 200 * time.Millisecond
