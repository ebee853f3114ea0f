package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/document"
)

// findings are what must not be, each with where it was seen.
type findings struct {
	lost, stuck, twice, wrong, leftover []string
}

func (f *findings) total() int {
	return len(f.lost) + len(f.stuck) + len(f.twice) + len(f.wrong) + len(f.leftover)
}

func add(list *[]string, format string, args ...any) {
	*list = append(*list, fmt.Sprintf(format, args...))
}

// open counts how many of the acknowledged documents and jobs have not ended.
func (x *run) open(ctx context.Context) (int, error) {
	n := 0
	records, err := x.records(ctx)
	if err != nil {
		return 0, err
	}
	for _, t := range x.ledger.documents {
		status := records[t.id]["status"]
		if status != "" && !document.State(status).Final() && !x.forgotten(t, status) {
			n++
		}
	}
	jobs, err := x.hashes(ctx, x.jobKeys())
	if err != nil {
		return 0, err
	}
	for _, h := range jobs {
		if s := h["status"]; s != "" && s != "finished" && s != "failed" {
			n++
		}
	}
	return n, nil
}

// hopeless is after how long without a single end what is open counts as
// stuck: longer than any lease, sweep, pause or retry of this run, however
// slow the machine.
const hopeless = 3 * time.Minute

// settle waits until everything acknowledged has ended, or nothing moves.
func (x *run) settle(ctx context.Context) error {
	fewest, since := -1, time.Now()
	for {
		n, err := x.open(ctx)
		switch {
		case err == nil && n == 0:
			return nil
		case err == nil && (fewest < 0 || n < fewest):
			fewest, since = n, time.Now()
		case time.Since(since) > hopeless:
			return err
		}
		sleep(ctx, 500*time.Millisecond)
	}
}

// hashes reads many hashes; the value of a missing one is empty.
func (x *run) hashes(ctx context.Context, keys []string) ([]map[string]string, error) {
	out := make([]map[string]string, 0, len(keys))
	for len(keys) > 0 {
		page := keys[:min(500, len(keys))]
		keys = keys[len(page):]
		pipe := x.site.rdb.Pipeline()
		cmds := make([]*redis.MapStringStringCmd, len(page))
		for i, k := range page {
			cmds[i] = pipe.HGetAll(ctx, k)
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return nil, err
		}
		for _, c := range cmds {
			out = append(out, c.Val())
		}
	}
	return out, nil
}

// records reads the record of each acknowledged document.
func (x *run) records(ctx context.Context) (map[string]map[string]string, error) {
	keys := make([]string, len(x.ledger.documents))
	for i, t := range x.ledger.documents {
		keys[i] = "docsvc:doc:" + t.id
	}
	hashes, err := x.hashes(ctx, keys)
	if err != nil {
		return nil, err
	}
	out := map[string]map[string]string{}
	for i, t := range x.ledger.documents {
		out[t.id] = hashes[i]
	}
	return out, nil
}

func (x *run) jobKeys() []string {
	keys := make([]string, len(x.ledger.jobs))
	for i, n := range x.ledger.jobs {
		keys[i] = "rq:job:" + n.id
	}
	return keys
}

// verifyDocuments looks at each acknowledged document: its end, its text, and
// that equal files were completed once.
func (x *run) verifyDocuments(ctx context.Context, f *findings) (states map[string]int, err error) {
	records, err := x.records(ctx)
	if err != nil {
		return nil, err
	}
	states = map[string]int{}
	completed := map[[32]byte][]string{}
	for _, t := range x.ledger.documents {
		r := records[t.id]
		status := r["status"]
		if len(r) == 0 {
			status = "deleted"
		}
		states[status]++
		x.verifyEnd(f, t, r, status)
		if status == "completed" {
			completed[t.sample.sum] = append(completed[t.sample.sum], t.id)
			if !t.deleted || !x.unsure(t) { // else the objects went, and the deletion was forgotten
				x.verifyText(ctx, f, t, r["execution_id"])
			}
		}
	}
	for _, ids := range completed {
		if len(ids) > 1 && !x.knownLater(ids) {
			add(&f.twice, "documents %s have the same bytes and are all completed", strings.Join(ids, ", "))
		}
	}
	return states, nil
}

// knownLater says whether the same bytes may have come while Redis did not
// know one of the documents, which was rebuilt afterwards.
func (x *run) knownLater(ids []string) bool {
	ours := x.acknowledged()
	return slices.ContainsFunc(ids, func(id string) bool { return x.unsure(ours[id]) })
}

// acknowledged are the documents by their ids.
func (x *run) acknowledged() map[string]*taken {
	ours := map[string]*taken{}
	for _, t := range x.ledger.documents {
		ours[t.id] = t
	}
	return ours
}

// verifyDeadly looks at a job that killed its worker each time.
func (x *run) verifyDeadly(f *findings, n noop, status string, runs int) {
	if status != "failed" || runs != x.o.recoveryLimit {
		add(&f.wrong, "job %s killed its worker %d times and is %s; it was to be failed after %d", n.id, runs, status, x.o.recoveryLimit)
	}
}

// unsure says whether a power failure may have taken with it what was
// acknowledged of a document.
func (x *run) unsure(t *taken) bool { return x.power.unsure(t.accepted) || x.power.unsure(t.last) }

// forgotten says whether that may have been the acceptance: the document awaits
// what its client has done.
func (x *run) forgotten(t *taken, status string) bool {
	return x.power.unsure(t.accepted) && status == string(document.AwaitingUpload)
}

// verifyEnd compares a document's end with what was acknowledged.
func (x *run) verifyEnd(f *findings, t *taken, r map[string]string, status string) {
	what := fmt.Sprintf("document %s (%s, job %s, accepted %s, last call %s)", t.id, t.sample.marker, t.job, x.when(t.accepted), x.when(t.last))
	if t.patched && len(r) > 0 && !x.power.unsure(t.last) && r["title"] != "title of "+t.sample.marker {
		add(&f.lost, "%s was given a title and has %q", what, r["title"])
	}
	if x.unsure(t) && (len(r) == 0 || document.State(status).Final()) || x.forgotten(t, status) {
		return // what was acknowledged of it may be lost
	}
	switch {
	case status == "deleted" && !t.deleted:
		if t.sample.fate != fateDelete {
			add(&f.lost, "%s is gone and nobody deleted it", what)
		}
	case t.deleted && status != "deleted":
		add(&f.wrong, "%s was deleted and is %s", what, status)
	case t.deleted:
	case !document.State(status).Final():
		add(&f.stuck, "%s is %s: %s %s", what, status, r["current_step"], r["error"])
	case t.canceled && status != "canceled":
		add(&f.wrong, "%s was canceled and is %s", what, status)
	case status == "canceled" && t.sample.fate != fateCancel && t.sample.fate != fateReprocess:
		add(&f.wrong, "%s is canceled and nobody canceled it", what)
	case status == "failed" && !t.sample.bad:
		add(&f.wrong, "%s failed: %s: %s", what, r["error_code"], r["error"])
	case status != "failed" && status != "canceled" && t.sample.bad:
		add(&f.wrong, "%s can't be read and is %s", what, status)
	}
}

// when says from when to when a call lasted, in the time that the run says.
func (x *run) when(c call) string {
	return fmt.Sprintf("from %.1f to %.1f s", c.from.Sub(x.began).Seconds(), c.to.Sub(x.began).Seconds())
}

// verifyText reads a completed document's text from the store.
func (x *run) verifyText(ctx context.Context, f *findings, t *taken, execution string) {
	key := document.ArtifactPrefix(t.id, execution) + document.TextName
	text, err := x.object(ctx, key)
	switch {
	case err != nil:
		add(&f.lost, "document %s is completed and its text %s can't be read: %v", t.id, key, err)
	case !bytes.Contains(text, []byte(t.sample.marker)):
		add(&f.wrong, "document %s has the text of another: %s isn't in it", t.id, t.sample.marker)
	}
}

func (x *run) object(ctx context.Context, key string) ([]byte, error) {
	o, err := x.site.store.GetObject(ctx, bucket, key, minio.GetObjectOptions{})
	if err != nil {
		return nil, err
	}
	defer func() { _ = o.Close() }()
	var b bytes.Buffer
	_, err = b.ReadFrom(o)
	return b.Bytes(), err
}

// verifyJobs looks at each acknowledged job that does nothing: its end, and
// that its effect was written exactly as often as it finished.
func (x *run) verifyJobs(ctx context.Context, f *findings) (states map[string]int, executions int, err error) {
	hashes, err := x.hashes(ctx, x.jobKeys())
	if err != nil {
		return nil, 0, err
	}
	effects, err := x.site.rdb.HGetAll(ctx, "chaos:effects").Result()
	if err != nil {
		return nil, 0, err
	}
	begun, err := x.site.rdb.HKeys(ctx, "chaos:executions").Result()
	if err != nil {
		return nil, 0, err
	}
	runs := map[string]int{}
	for _, member := range begun {
		job, _, _ := strings.Cut(member, ":")
		runs[job]++
	}
	states = map[string]int{}
	for i, n := range x.ledger.jobs {
		status := hashes[i]["status"]
		states[cmp.Or(status, "gone")]++
		want := "0"
		unsure := x.power.unsure(n.enqueued)
		switch {
		case status == "" && unsure:
			continue
		case n.deadly:
			x.verifyDeadly(f, n, status, runs[n.id])
			continue
		case status == "":
			add(&f.lost, "job %s is gone", n.id)
			continue
		case status == "finished":
			want = "1"
		case status != "failed":
			add(&f.stuck, "job %s is %s", n.id, status)
			continue
		case n.again:
			add(&f.wrong, "job %s failed, and its function may be run again", n.id)
		}
		got := effects[n.id]
		if got == "" {
			got = "0"
		}
		if got != want {
			add(&f.twice, "job %s is %s and its effect was written %s times", n.id, status, got)
		}
		if !n.again && runs[n.id] > n.retries+1 && !x.o.power {
			add(&f.twice, "job %s may run %d times and was run %d times", n.id, n.retries+1, runs[n.id])
		}
	}
	return states, len(begun), nil
}
