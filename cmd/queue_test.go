package cmd

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq"
)

// session runs commands in this process on a Redis of its own.
type session struct {
	t     *testing.T
	rdb   *redis.Client
	queue *rq.Client
	env   map[string]string
}

func newSession(t *testing.T, s *redistest.Server) *session {
	rdb := s.Client(t)
	return &session{t: t, rdb: rdb, queue: rq.New(rdb, rq.Options{}), env: map[string]string{"REDIS_URL": s.URL}}
}

// run gives what a command printed and its exit status.
func (s *session) run(args ...string) (stdout, stderr string, status int) {
	s.t.Helper()
	var out, errs bytes.Buffer
	a := &app{stdout: &out, stderr: &errs, lookupEnv: func(k string) (string, bool) {
		v, ok := s.env[k]
		return v, ok
	}}
	root := a.root()
	root.SetArgs(append([]string{"queue"}, args...))
	err := root.ExecuteContext(s.t.Context())
	if err != nil {
		a.report(err)
	}
	return out.String(), errs.String(), exitStatus(err)
}

// ok expects a command to succeed, and to print nothing but want.
func (s *session) ok(want string, args ...string) {
	s.t.Helper()
	out, errs, status := s.run(args...)
	if status != exitDone || out != want || errs != "" {
		s.t.Errorf("docsvc queue %s: status %d, printed\n%s%swant\n%s", strings.Join(args, " "), status, out, errs, want)
	}
}

// fails expects a status and texts on stderr.
func (s *session) fails(status int, texts []string, args ...string) {
	s.t.Helper()
	out, errs, got := s.run(args...)
	if got != status {
		s.t.Errorf("docsvc queue %s: status %d, want %d\n%s%s", strings.Join(args, " "), got, status, out, errs)
	}
	for _, text := range texts {
		if !strings.Contains(errs, text) {
			s.t.Errorf("docsvc queue %s: %q does not say %q", strings.Join(args, " "), errs, text)
		}
	}
}

// json runs a command with -o json.
func (s *session) json(into any, args ...string) {
	s.t.Helper()
	out, errs, status := s.run(append(args, "-o", "json")...)
	if err := json.Unmarshal([]byte(out), into); err != nil || status != exitDone {
		s.t.Fatalf("docsvc queue %s: status %d, %v\n%s%s", strings.Join(args, " "), status, err, out, errs)
	}
}

func (s *session) enqueue(ids ...string) {
	s.t.Helper()
	for _, id := range ids {
		if _, err := s.queue.Enqueue(s.t.Context(), rq.Spec{ID: id, Queue: "q", Func: "app.work"}); err != nil {
			s.t.Fatal(err)
		}
	}
}

// claim starts the next job of q on a worker w.1.
func (s *session) claim() rq.Claimed {
	s.t.Helper()
	got, err := s.queue.Claim(s.t.Context(), rq.ClaimRequest{Worker: []string{"w.1"}, Queues: []string{"q"}})
	if err != nil || len(got) != 1 {
		s.t.Fatalf("claimed %d: %v", len(got), err)
	}
	return got[0]
}

func (s *session) finish(c rq.Claimed, kind rq.OutcomeKind) {
	s.t.Helper()
	done, err := s.queue.Finish(s.t.Context(), []rq.Outcome{{Execution: c.Execution, Job: c.Job, Kind: kind, Error: "boom"}})
	if err != nil || done[0].Err != nil {
		s.t.Fatal(err, done)
	}
}

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
	s.ok("q: 0 queued again, 1 stopped ones left\n", "retry", "--all-failed", "q")
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
