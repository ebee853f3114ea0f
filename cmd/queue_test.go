package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq"
)

func TestQueueRetryAndCancel(t *testing.T) {
	t.Parallel()
	s := newSession(t, redistest.Start(t, redistest.Miniredis))
	s.enqueue("j1", "j2", "j3", "j4")
	for range 3 {
		s.finish(s.claim(), rq.OutcomeFail)
	}
	s.ok("j1 queued on q\n", "retry", "j1")
	s.fails(exitNotFound, []string{"job none: no such job", "job j4 is queued and can't be retried"}, "retry", "none", "j4")
	s.ok("q: 2 queued again\n", "retry", "--all-failed", "q", "--at-front")
	s.ok("document_processing: 0 queued again\ncleanup_tasks: 0 queued again\n", "retry", "--all-failed")
	s.fails(exitNotFound, []string{`no such queue: "p"`}, "retry", "--all-failed", "p")
	s.fails(exitUsage, []string{"usage: docsvc queue retry ID..."}, "retry")
	s.fails(exitUsage, []string{"-o xml is not one of"}, "cancel", "j1", "-o", "xml")

	var changes []jobChange
	s.json(&changes, "cancel", "j1", "j2")
	if len(changes) != 2 || changes[1].ID != "j2" || changes[1].Status != "canceled" || changes[0].Queue != "q" {
		t.Errorf("canceled %+v", changes)
	}
	s.json(&changes, "retry", "j1")
	if len(changes) != 1 || changes[0].Status != "queued" {
		t.Errorf("retried %+v", changes)
	}
	var retried []queueRetried
	s.finish(s.claim(), rq.OutcomeStop)
	s.json(&retried, "retry", "--all-failed", "q")
	if len(retried) != 1 || retried[0] != (queueRetried{Queue: "q", Stopped: 1}) {
		t.Errorf("retried %+v", retried)
	}
	s.ok("q: 0 queued again, 1 left: stopped\n", "retry", "--all-failed", "q")
	for registry, want := range map[string]int{"queued": 2, "failed": 1, "canceled": 1, "started": 0, "finished": 0, "deferred": 0, "scheduled": 0} {
		var page struct{ Jobs []struct{ ID, Status string } }
		s.json(&page, "list", "q", "--registry", registry)
		if len(page.Jobs) != want {
			t.Errorf("%s: %+v, want %d", registry, page.Jobs, want)
		}
	}
}

func TestQueueStop(t *testing.T) {
	t.Parallel()
	s := newSession(t, redistest.Start(t, redistest.Miniredis))
	s.enqueue("j1", "j2")
	s.fails(exitFailed, []string{"job j2 is queued and can't be stopped", "docsvc queue cancel j2"}, "stop", "j2")
	s.fails(exitNotFound, []string{"job none: no such job"}, "stop", "none")
	s.fails(exitUsage, []string{"--wait -1s is negative"}, "stop", "j1", "--wait", "-1s")
	first := s.claim()
	s.fails(exitFailed, []string{"nobody listens to commands for its worker w.1", "docsvc queue cancel j1"}, "stop", "j1", "--wait", "0")

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	commands, err := s.queue.Commands(ctx, []string{"w.1"})
	if err != nil {
		t.Fatal(err)
	}
	s.ok("j1 stop sent to w.1\n", "stop", "j1", "--wait", "0")
	<-commands
	s.fails(exitFailed, []string{"was told to stop it 1ms ago, and it still runs"}, "stop", "j1", "--wait", "1ms")
	<-commands
	obey := func(c rq.Claimed, kind rq.OutcomeKind) chan struct{} {
		done := make(chan struct{})
		go func() {
			defer close(done)
			<-commands
			s.finish(c, kind)
		}()
		return done
	}
	done := obey(first, rq.OutcomeStop)
	s.ok("j1 stopped\n", "stop", "j1")
	<-done
	done = obey(s.claim(), rq.OutcomeFinish)
	s.fails(exitFailed, []string{"job j2 is now finished, not stopped"}, "stop", "j2")
	<-done
}

func TestQueueSuspendAndResume(t *testing.T) {
	t.Parallel()
	s := newSession(t, redistest.Start(t, redistest.Miniredis))
	s.ok("workers were not suspended\n", "resume")
	s.ok("workers are suspended and start no jobs; end it with: docsvc queue resume\n", "suspend")
	var state suspension
	s.json(&state, "suspend", "--duration", "10m")
	if left := time.Until(*state.Until); !state.Suspended || left < 9*time.Minute || left > 10*time.Minute {
		t.Errorf("suspended for %s: %+v", left, state)
	}
	for _, d := range []string{"0", "-5", "soon", "10ms"} {
		s.fails(exitUsage, []string{fmt.Sprintf("--duration %q is no length of time of at least a second", d)}, "suspend", "--duration", d)
	}
	for _, command := range []string{"info", "workers"} {
		if out, _, status := s.run(command); status != exitDone || !strings.Contains(out, "workers are suspended until ") {
			t.Errorf("queue %s: %s", command, out)
		}
	}
	s.ok("workers start jobs again\n", "resume")
	if n := s.rdb.Exists(t.Context(), "rq:suspended").Val(); n != 0 {
		t.Error("still suspended")
	}
}

func TestQueueWorkers(t *testing.T) {
	t.Parallel()
	s := newSession(t, redistest.Start(t, redistest.Miniredis))
	s.ok("no workers; start one with: docsvc worker --all\n", "workers")
	s.enqueue("j1")
	err := s.queue.RegisterWorkers(t.Context(), []rq.WorkerBirth{
		{Name: "w.1", Queues: []string{"q", "document_processing"}, Host: "here", PID: 7, Version: "1"},
		{Name: "w.2", Queues: []string{"cleanup_tasks"}, Host: "here", PID: 7, Version: "1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.claim()
	var workers []workerView
	s.json(&workers, "workers", "q")
	if len(workers) != 1 || workers[0].Name != "w.1" || workers[0].State != "busy" || text(workers[0].CurrentJob) != "j1" || !workers[0].Alive || !workers[0].Docsvc {
		t.Errorf("got %+v", workers)
	}
	out, _, _ := s.run("workers")
	for _, want := range []string{"w.1", "busy", "q,document_processing", "j1", "w.2", "started"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	s.fails(exitNotFound, []string{`no such queue: "p"`}, "workers", "p")
}

// A deliberate removal must not be undone by the sweep that revives documents
// whose job vanished, so the document is canceled with its job.
func TestQueueEmptyAndDelete(t *testing.T) {
	t.Parallel()
	s := newSession(t, redistest.Start(t, redistest.Miniredis))
	const id = "0198b5a4-7f00-7000-8000-000000000001"
	document := func(job string) {
		t.Helper()
		if err := s.rdb.HSet(t.Context(), "docsvc:doc:"+id, "job_id", job, "status", "uploaded").Err(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.queue.Enqueue(t.Context(), rq.Spec{ID: job, Queue: "q", Func: "docsvc.process_document", Args: []any{id}}); err != nil {
			t.Fatal(err)
		}
	}
	status := func() string { return s.rdb.HGet(t.Context(), "docsvc:doc:"+id, "status").Val() }

	document("d1")
	s.enqueue("j1", "j2")
	s.fails(exitUsage, []string{"this would delete 3 waiting jobs of q", "say so with --yes"}, "empty", "q")
	s.fails(exitNotFound, []string{`no such queue: "p"`}, "empty", "p", "--yes")
	s.ok("3 jobs removed from q\n", "empty", "q", "--yes")
	if got := status(); got != "canceled" {
		t.Errorf("the document is %s", got)
	}
	s.ok("0 jobs removed from q\n", "empty", "q")
	s.enqueue("j1")
	if err := s.rdb.RPush(t.Context(), "rq:queue:q", "gone").Err(); err != nil {
		t.Fatal(err)
	}
	var emptied []queueEmptied
	s.json(&emptied, "empty", "q", "-y")
	if len(emptied) != 1 || emptied[0] != (queueEmptied{"q", 1, 1}) {
		t.Errorf("%+v", emptied)
	}

	document("d2")
	s.enqueue("j2")
	s.finish(s.claim(), rq.OutcomeFinish)
	s.fails(exitNotFound, []string{"job none: no such job"}, "delete", "none")
	document("d3")
	s.ok("d3 deleted, it was queued\n", "delete", "d3")
	if got := status(); got != "canceled" {
		t.Errorf("the document is %s", got)
	}
	if err := s.rdb.HSet(t.Context(), "docsvc:doc:"+id, "job_id", "d2", "status", "completed").Err(); err != nil {
		t.Fatal(err)
	}
	s.ok("d2 deleted, it was finished\n", "delete", "d2")
	if got := status(); got != "completed" {
		t.Errorf("the document is %s", got)
	}
	var changes []jobChange
	s.json(&changes, "delete", "j2", "--delete-dependents")
	if len(changes) != 1 || changes[0].Queue != "q" || changes[0].Error != "" {
		t.Errorf("%+v", changes)
	}
}

func TestConfirm(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]error{"y\n": nil, "YES": nil, "n\n": errDeclined, "": errDeclined, "\n": errDeclined, "yup\n": errDeclined} {
		var asked bytes.Buffer
		a := &app{stderr: &asked}
		if err := a.confirm(t.Context(), strings.NewReader(answer), "Delete it?"); !errors.Is(err, want) || asked.String() != "Delete it? [y/N] " {
			t.Errorf("%q: %v, asked %q", answer, err, asked.String())
		}
	}
}

func TestQueueEnqueue(t *testing.T) {
	t.Parallel()
	s := newSession(t, redistest.Start(t, redistest.Miniredis))
	out, errs, status := s.run("enqueue", "app.work", "1", ":2", "k%=(3,)", "--job-id", "j1", "-q", "q")
	if status != exitDone || out != "Enqueued app.work('1', 2, k=(3,)) with job-id 'j1'.\n" || !strings.Contains(errs, "no worker listens to q yet") {
		t.Errorf("status %d, %s%s", status, out, errs)
	}
	if err := s.queue.RegisterWorkers(t.Context(), []rq.WorkerBirth{{Name: "w.1", Queues: []string{"q"}, Host: "here", PID: 7, Version: "1"}}); err != nil {
		t.Fatal(err)
	}
	// Every option reaches the job.
	s.ok("Enqueued app.work('-1') with job-id 'j2'.\n", "enqueue", "--queue", "q", "--job-id", "j2", "--timeout", "1h", "--result-ttl", "10m", "--ttl", "2d",
		"--failure-ttl", "90", "--description", "what it is", "--at-front", "--retry-max", "2", "--retry-interval", "10", "--retry-interval", "20",
		"--unique", "--serializer", "json", "--", "app.work", "-1")
	j, err := s.queue.Job(t.Context(), "j2")
	if err != nil {
		t.Fatal(err)
	}
	if j.Timeout != time.Hour || *j.ResultTTL != 10*time.Minute || *j.TTL != 48*time.Hour || *j.FailureTTL != 90*time.Second || j.Description != "what it is" ||
		*j.RetriesLeft != 2 || len(j.RetryIntervals) != 2 || j.Serializer != rq.JSON || len(j.Args) != 1 || j.Args[0] != "-1" {
		t.Errorf("%+v", j)
	}
	if ids := s.rdb.LRange(t.Context(), "rq:queue:q", 0, -1).Val(); strings.Join(ids, " ") != "j2 j1" {
		t.Errorf("queue %v", ids)
	}
	s.ok("", "enqueue", "app.work", "-q", "q", "--quiet")
	var job enqueuedJob
	s.json(&job, "enqueue", "app.work", "-q", "q", "--job-id", "j3", "--depends-on", "j1", "--depends-on", "j2")
	if job != (enqueuedJob{"j3", "deferred", "q", "app.work()"}) {
		t.Errorf("%+v", job)
	}
	s.json(&job, "enqueue", "app.work", "-q", "q", "--schedule-in", "1h")
	if job.Status != "scheduled" || job.ID == "" {
		t.Errorf("%+v", job)
	}
	s.json(&job, "enqueue", "app.work", "-q", "q", "--schedule-at", time.Now().Add(time.Hour).Format("2006-01-02T15:04:05"))
	if job.Status != "scheduled" {
		t.Errorf("%+v", job)
	}
	s.fails(exitFailed, []string{"job j1 exists and is queued"}, "enqueue", "app.work", "-q", "q", "--job-id", "j1", "--unique")
	s.fails(exitUsage, []string{"--timeout 0 is not allowed", "see: docsvc queue enqueue --help"}, "enqueue", "app.work", "--timeout", "0")
	s.fails(exitUsage, []string{"--retry-interval goes with --retry-max"}, "enqueue", "app.work", "--retry-interval", "5")
	s.fails(exitUsage, []string{"argument 1: "}, "enqueue", "app.work", ":{")
	s.fails(exitUsage, []string{"docsvc queue enqueue takes at least 1 argument"}, "enqueue")
	s.fails(exitUsage, []string{"queue name \"a,b\""}, "enqueue", "app.work", "-q", "a,b")

	// A configured queue's own settings apply.
	s.json(&job, "enqueue", "app.work", "--queue", "document_processing")
	if j, err = s.queue.Job(t.Context(), job.ID); err != nil || j.Timeout != 30*time.Minute || j.RetriesLeft == nil || *j.RetriesLeft != 3 {
		t.Errorf("%+v, %v", j, err)
	}
}

func TestQueueInfo(t *testing.T) {
	t.Parallel()
	s := newSession(t, redistest.Start(t, redistest.Miniredis))
	s.ok("", "info", "-o", "raw")
	s.enqueue("j1", "j2")
	if err := s.queue.RegisterWorkers(t.Context(), []rq.WorkerBirth{{Name: "w.1", Queues: []string{"q", "other"}, Host: "here", PID: 7, Version: "1"}}); err != nil {
		t.Fatal(err)
	}
	s.claim()
	const lines = "queue q 1, 1 executing, 0 finished, 0 failed\nworker w.1 (here unknown 7) busy q, other. jobs: 0 finished, 0 failed\n"
	s.ok(lines, "info", "-o", "raw")
	s.ok(lines, "info", "q", "-o", "raw")
	s.ok("queue cleanup_tasks 0, 0 executing, 0 finished, 0 failed\n", "info", "cleanup_tasks", "-o", "raw")
	s.fails(exitNotFound, []string{`no such queue: "p"`}, "info", "p", "-o", "raw")
	s.fails(exitUsage, []string{"-o rare is not one of"}, "info", "-o", "rare")
	var counts []queueCounts
	s.json(&counts, "info", "q")
	if len(counts) != 1 || counts[0].Length != 1 || counts[0].Started != 1 || counts[0].Workers != 1 {
		t.Errorf("%+v", counts)
	}
	out, _, status := s.run("info")
	for _, want := range []string{"document_processing", "cleanup_tasks", "q ", "w.1", "busy"} {
		if status != exitDone || !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
}

// watcher ends a command when it has printed text so many times.
type watcher struct {
	strings.Builder
	text   string
	times  int
	cancel func()
}

func (w *watcher) Write(b []byte) (int, error) { return w.WriteString(string(b)) }

func (w *watcher) WriteString(text string) (int, error) {
	n, err := w.Builder.WriteString(text)
	if strings.Count(w.String(), w.text) >= w.times {
		w.cancel()
	}
	return n, err
}

func TestQueueInfoWatch(t *testing.T) {
	t.Parallel()
	s := newSession(t, redistest.Start(t, redistest.Miniredis))
	s.enqueue("j1")
	for text, args := range map[string][]string{
		"QUEUE":         {"info", "--watch=100ms"},
		"every 100ms":   {"info", "--watch", "100ms", "q"},
		"queue q 1, 0 ": {"info", "q", "-o", "raw", "-i=0.1s"},
		`"name": "q"`:   {"info", "q", "--watch=100ms", "-o", "json"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		out := &watcher{text: text, times: 3, cancel: cancel}
		errs, status := s.runTo(ctx, out, args...)
		if !errors.Is(ctx.Err(), context.Canceled) {
			t.Errorf("docsvc queue %s: did not print %q three times", strings.Join(args, " "), text)
		}
		if status != exitDone || errs != "" || strings.Contains(out.String(), "\x1b") {
			t.Errorf("docsvc queue %s: status %d, %s%s", strings.Join(args, " "), status, out.String(), errs)
		}
		cancel()
	}
	s.fails(exitUsage, []string{"--watch 10ms is not at least 100ms"}, "info", "--watch=10ms")
	s.fails(exitUsage, []string{"--watch soon is not at least 100ms"}, "info", "--watch=soon")
	s.fails(exitNotFound, []string{`no such queue: "soon"`}, "info", "--watch", "soon")
}
