package cmd

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

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
	// A lease that no loaded machine outlasts.
	return &session{t: t, rdb: rdb, queue: rq.New(rdb, rq.Options{Lease: time.Hour}), env: map[string]string{"REDIS_URL": s.URL}}
}

// run gives what a command printed and its exit status.
func (s *session) run(args ...string) (stdout, stderr string, status int) {
	s.t.Helper()
	var out bytes.Buffer
	stderr, status = s.runTo(s.t.Context(), &out, args...)
	return out.String(), stderr, status
}

func (s *session) runTo(ctx context.Context, out io.Writer, args ...string) (stderr string, status int) {
	s.t.Helper()
	var errs bytes.Buffer
	a := &app{stdout: out, stderr: &errs, lookupEnv: func(k string) (string, bool) {
		v, ok := s.env[k]
		return v, ok
	}, environ: func() []string { return nil }}
	root := a.root()
	root.SetArgs(append([]string{"queue"}, args...))
	err := root.ExecuteContext(ctx)
	if err != nil {
		a.report(err)
	}
	return errs.String(), exitStatus(err)
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
