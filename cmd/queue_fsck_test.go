package cmd

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq"
)

// lose takes a job out of its queue, so that nothing holds it.
func (s *session) lose(id string) {
	s.t.Helper()
	if n, err := s.rdb.LRem(context.Background(), "rq:queue:q", 0, id).Result(); err != nil || n != 1 {
		s.t.Fatalf("taking %s out of its queue: %d, %v", id, n, err)
	}
	// As if it had been there for long.
	if err := s.rdb.HSet(context.Background(), "rq:job:"+id, "enqueued_at", "2026-01-01T00:00:00.000000Z").Err(); err != nil {
		s.t.Fatal(err)
	}
}

func TestQueueFsck(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		s := newSession(t, server)
		s.enqueue("a", "b")
		out, _, status := s.run("fsck", "--age", "1ms")
		if status != exitDone || !strings.HasPrefix(out, "nothing found: 2 jobs and ") {
			t.Errorf("status %d, %s", status, out)
		}

		s.lose("a")
		s.fails(exitUnhealthy, nil, "fsck", "--age", "1ms")
		out, _, _ = s.run("fsck", "--age", "1ms")
		for _, want := range []string{"queued_lost  rq:job:a  job a\n", "queued, but in no queue", "--fix would: put it to the head of queue q\n", "\n1 found, 0 fixed, 1 remaining: "} {
			if !strings.Contains(out, want) {
				t.Errorf("%s does not say %q", out, want)
			}
		}
		out, _, status = s.run("fsck", "--age", "1ms", "--queue", "cleanup_tasks")
		if status != exitDone || !strings.HasPrefix(out, "nothing found") {
			t.Errorf("another queue: status %d, %s", status, out)
		}

		undo := filepath.Join(t.TempDir(), "undo.jsonl")
		out, errs, status := s.run("fsck", "--fix", "--age", "1ms", "--undo", undo)
		if status != exitDone || !strings.Contains(out, "fixed: put it to the head") || errs != "to undo the repairs: docsvc queue fsck --restore "+undo+"\n" {
			t.Errorf("status %d, %s%s", status, out, errs)
		}
		if got := s.rdb.LRange(t.Context(), "rq:queue:q", 0, -1).Val(); strings.Join(got, " ") != "a b" {
			t.Errorf("the queue is %v", got)
		}
		s.fails(exitFailed, []string{"the undo file", "name a new file with --undo"}, "fsck", "--fix", "--undo", undo)

		s.ok("1 repairs undone, 0 left as they are\n", "fsck", "--restore", undo)
		out, _, status = s.run("fsck", "--restore", undo)
		if status != exitFailed || !strings.HasPrefix(out, "left as it is: queued_lost rq:job:a: it has changed since: ") {
			t.Errorf("status %d, %s", status, out)
		}
		var report rq.FsckReport
		jsonOut, _, status := s.run("fsck", "--age", "1ms", "-o", "json")
		if err := json.Unmarshal([]byte(jsonOut), &report); err != nil || status != exitUnhealthy || len(report.Findings) != 1 || report.Findings[0].State != rq.FsckFound {
			t.Errorf("status %d, %v: %s", status, err, jsonOut)
		}

		// A run that repairs nothing leaves no file behind.
		s.run("fsck", "--fix", "--age", "1ms", "--undo", undo+"2")
		s.run("fsck", "--fix", "--age", "1ms", "--undo", undo+"3")
		if _, err := os.Stat(undo + "3"); !os.IsNotExist(err) {
			t.Errorf("an undo file without repairs: %v", err)
		}
		s.fails(exitUsage, []string{"--undo goes with --fix"}, "fsck", "--undo", "x")
		s.fails(exitUsage, []string{"--restore goes with no other flag"}, "fsck", "--restore", undo, "--fix")
		s.fails(exitUsage, []string{"--age 2h0m0s is not 0s to 1h"}, "fsck", "--age", "2h")
		s.fails(exitUsage, []string{"--rate 1 is less than 100"}, "fsck", "--rate", "1")
		s.fails(exitNotFound, []string{"no such queue"}, "fsck", "--queue", "nowhere")
		s.fails(exitFailed, []string{"no such file"}, "fsck", "--restore", undo+"none")
	})
}

func TestQueueExplain(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		s := newSession(t, server)
		s.enqueue("a", "b")
		out, _, status := s.run("explain", "b")
		if status != exitDone || !strings.HasPrefix(out, "Job b: It waits in queue q since ") ||
			!strings.HasSuffix(out, ", with 1 job before it; no live worker listens to that queue: docsvc worker --queues q.\n") {
			t.Errorf("status %d, %s", status, out)
		}
		var x explained
		s.json(&x, "explain", "b")
		if x.Job == nil || x.Job.Cause != rq.CauseNoWorker || *x.Job.Position != 1 || *x.Job.Length != 2 || x.Document != nil {
			t.Errorf("got %+v", x.Job)
		}
		s.fails(exitNotFound, []string{`nothing is known of "never"`, "its time to be kept is over"}, "explain", "never")
		s.fails(exitUsage, []string{"usage: docsvc queue explain ID"}, "explain")
	})
}
