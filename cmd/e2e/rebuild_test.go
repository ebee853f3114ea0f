package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/redistest"
)

// answers are the bodies of all that can be read of documents; of errors, all
// but the id of the request.
func (s *site) answers(ids []string) string {
	s.t.Helper()
	var all strings.Builder
	for _, id := range ids {
		for _, part := range []string{"", "/status", "/text", "/chunks"} {
			a, err := s.call(http.MethodGet, s.api+"/api/v1/documents/"+id+part, nil, "")
			if err != nil {
				s.t.Fatal(err)
			}
			body, _, _ := strings.Cut(string(a.body), `,"request_id"`)
			fmt.Fprintf(&all, "%s%s %d %s\n", id, part, a.status, body)
		}
	}
	return all.String()
}

// saved waits until the bucket has every record.
func (s *site) saved() {
	s.t.Helper()
	rdb := s.redis.Client(s.t)
	s.until("records to be saved", func() error {
		if n := rdb.ZCard(s.t.Context(), "docsvc:docs:unsaved").Val(); n > 0 {
			return fmt.Errorf("%d are not", n)
		}
		return nil
	})
}

// Redis loses everything. A rebuild that is interrupted, killed and run again
// makes each document answer byte for byte what it did.
func TestRebuildAfterRedisWasLost(t *testing.T) {
	t.Parallel()
	s := newSite(t, redistest.RedisServer)
	s.serve()
	w := s.start("worker", "--name", "w1")
	var ids []string
	for i := range 20 {
		ids = append(ids, s.submit("a.txt", "text/plain", fmt.Appendf(nil, "The text of document %d is this one.", i)))
	}
	s.reach(ids[0], "completed")
	ids = append(ids, s.submit("b.txt", "text/plain", []byte("The text of document 0 is this one.")), s.submit("c.pdf", "application/pdf", []byte("not a pdf")))
	for _, id := range ids {
		s.reach(id, "completed", "duplicate", "failed")
	}
	patch := strings.NewReader(`{"title":"Changed later","tags":["later"]}`)
	if a, err := s.call(http.MethodPatch, s.api+"/api/v1/documents/"+ids[3], patch, "application/json"); err != nil || a.status != 200 {
		t.Fatalf("%s, %v", a.body, err)
	}
	s.saved()
	before := s.answers(ids)
	w.stop(syscall.SIGTERM)
	rdb := s.redis.Client(t)
	if err := rdb.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if out, err := s.run("cleanup", "orphaned", "--now"); err == nil || !strings.Contains(err.Error(), "docsvc documents rebuild") {
		t.Errorf("cleanup of an empty Redis: %s, %v", out, err)
	}
	for _, sig := range []os.Signal{syscall.SIGINT, syscall.SIGKILL} {
		reached, release := s.hold(http.MethodGet, ids[10])
		p := s.start("documents", "rebuild")
		s.wait("the rebuild to be halfway", reached)
		_ = p.cmd.Process.Signal(sig)
		s.wait("the rebuild to end", p.done)
		release()
		if sig == syscall.SIGINT && (p.cmd.ProcessState.ExitCode() != 130 || !strings.Contains(p.out.String(), "the same command goes on")) {
			t.Errorf("after %v: exit %d\n%s", sig, p.cmd.ProcessState.ExitCode(), p.out)
		}
		if n := rdb.Exists(t.Context(), "docsvc:installation").Val(); n != 0 {
			t.Errorf("after %v Redis is taken for whole", sig)
		}
	}
	out, err := s.run("documents", "rebuild", "-o", "json")
	var report struct{ Seen, Rebuilt, Present, Failed, Incomplete int }
	if err = errors.Join(err, json.Unmarshal([]byte(out), &report)); err != nil {
		t.Fatal(err)
	}
	if report.Seen != len(ids) || report.Rebuilt+report.Present != len(ids) {
		t.Errorf("%+v", report)
	}
	if after := s.answers(ids); after != before {
		t.Errorf("before\n%safter\n%s", before, after)
	}
	if out, err := s.run("documents", "rebuild"); err != nil || !strings.Contains(out, "PRESENT") {
		t.Errorf("again: %s, %v", out, err)
	}
	// Everything works on: the bytes are known, and the failed one can be retried.
	s.start("worker", "--name", "w1")
	again := s.submit("d.txt", "text/plain", []byte("The text of document 5 is this one."))
	if st := s.reach(again, "completed", "duplicate"); st.DuplicateOf != ids[5] {
		t.Errorf("%+v", st)
	}
}

// A document is deleted while a worker stores its text: the worker is fenced,
// and in the end nothing is left of the document anywhere.
func TestDeletedWhileInWork(t *testing.T) {
	t.Parallel()
	s := newSite(t, redistest.RedisServer)
	s.serve()
	reached, release := s.hold(http.MethodPut, "/text.md")
	s.start("worker", "--name", "w1")
	id := s.submit("a.txt", "text/plain", []byte("The text of a document that nobody wants."))
	s.wait("the worker to store the text", reached)
	if a, err := s.call(http.MethodDelete, s.api+"/api/v1/documents/"+id, nil, ""); err != nil || a.status != 204 {
		t.Fatalf("%s, %v", a.body, err)
	}
	release()
	next := s.submit("b.txt", "text/plain", []byte("The text of another document."))
	s.reach(next, "completed") // so the worker is done with the first
	if a, err := s.call(http.MethodGet, s.api+"/api/v1/documents/"+id, nil, ""); err != nil || a.status != 404 {
		t.Errorf("%s, %v", a.body, err)
	}
	// The store may finish a PUT that the worker has given up. Its last look for
	// such objects is due when the upload URL has run out an hour ago: now.
	due := redis.Z{Score: 1, Member: id}
	if n, err := s.redis.Client(t).ZAddXX(t.Context(), "docsvc:docs:deleted", due).Result(); err != nil || n != 0 {
		t.Fatal(n, err)
	}
	s.until("its objects to go", func() error {
		if left := s.artifacts(id); len(left) > 0 {
			return fmt.Errorf("%v", left)
		}
		return nil
	})
	if out, err := s.run("documents", "rebuild"); err != nil || strings.Contains(out, id) {
		t.Errorf("%s, %v", out, err)
	}
	if _, err := s.status(id); err == nil {
		t.Error("it is back")
	}
}
