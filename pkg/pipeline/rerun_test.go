package pipeline

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/extract"
	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq"
	"github.com/docsvc/docsvc/pkg/worker"
)

// byHand claims the next job and runs the handler as a worker does, without
// settling the job.
func (r *rig) byHand(p *Pipeline) (*worker.Task, worker.Result, error) {
	r.t.Helper()
	got, err := r.queue.Claim(context.Background(), rq.ClaimRequest{Worker: []string{"hand"}, Queues: []string{queueName}})
	if err != nil || len(got) != 1 {
		r.t.Fatalf("claimed %d jobs, %v; want one", len(got), err)
	}
	task := &worker.Task{Job: got[0].Job, Execution: got[0].Execution, Log: zerolog.New(r.logs), Queue: r.queue}
	res, err := p.process(context.Background(), task)
	return task, res, err
}

// finish settles a job by hand and returns the refused condition, if any.
func (r *rig) finish(task *worker.Task, res worker.Result) *rq.ConditionError {
	r.t.Helper()
	done, err := r.queue.Finish(context.Background(), []rq.Outcome{{Execution: task.Execution, Job: task.Job,
		Kind: rq.OutcomeFinish, Result: res.Value, Effects: res.Effects, Conditions: res.Conditions}})
	if err != nil || len(done) != 1 {
		r.t.Fatalf("finishing: %v, %v", done, err)
	}
	var refused *rq.ConditionError
	if done[0].Err != nil && !errors.As(done[0].Err, &refused) {
		r.t.Fatalf("finishing: %v", done[0].Err)
	}
	return refused
}

func (r *rig) pipeline(change ...func(*Config)) *Pipeline {
	r.t.Helper()
	c := r.config(r.t.TempDir())
	for _, f := range change {
		f(&c)
	}
	p, err := New(c)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = p.Close() })
	return p
}

// A worker that loses every acknowledgement believes that it was fenced. What
// it committed must stay.
func TestACommitWhoseAnswerWasLostIsNotRemoved(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		p := r.pipeline()
		u := r.upload("a.txt", sample)
		r.process(u)
		task, res, err := r.byHand(p)
		if err != nil {
			t.Fatal(err)
		}
		if c := r.finish(task, res); c != nil {
			t.Fatal(c)
		}
		res.Settled(context.Background(), false)
		d := r.committed(u.DocumentID, sample)
		if left := r.keys(d.UploadKey); len(left) != 0 {
			t.Errorf("the upload %v is still there", left)
		}
	})
}

// The document that this one was to be a duplicate of goes in the very moment
// of the commit: then it is the first itself.
func TestTheFirstGoesWhileTheSecondCommits(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		p := r.pipeline()
		first := r.upload("a.txt", sample)
		r.process(first)
		task, res, err := r.byHand(p)
		if err != nil {
			t.Fatal(err)
		}
		if c := r.finish(task, res); c != nil {
			t.Fatal(c)
		}
		second := r.upload("b.txt", sample)
		r.process(second)
		if task, res, err = r.byHand(p); err != nil {
			t.Fatal(err)
		}
		if v := res.Value.(map[string]any); v["duplicate_of"] != first.DocumentID {
			t.Fatalf("the result is %v; want a duplicate of %s", v, first.DocumentID)
		}
		if err := r.rdb.Del(context.Background(), "docsvc:doc:"+first.DocumentID).Err(); err != nil {
			t.Fatal(err)
		}
		refused := r.finish(task, res)
		if refused == nil {
			t.Fatal("a duplicate of nothing was committed")
		}
		if res, err = res.OnConflict(context.Background(), refused); err != nil {
			t.Fatal(err)
		}
		if c := r.finish(task, res); c != nil {
			t.Fatal(c)
		}
		res.Settled(context.Background(), true)
		r.committed(second.DocumentID, sample)
	})
}

// A record that is deleted while its document is processed ends the job, and
// what was written for it goes.
func TestARecordDeletedMeanwhile(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		p := r.pipeline()
		u := r.upload("a.txt", sample)
		r.process(u)
		task, res, err := r.byHand(p)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.rdb.Del(context.Background(), "docsvc:doc:"+u.DocumentID).Err(); err != nil {
			t.Fatal(err)
		}
		refused := r.finish(task, res)
		if refused == nil {
			t.Fatal("a document without a record was committed")
		}
		res, err = res.OnConflict(context.Background(), refused)
		var f *worker.Failure
		if !errors.As(err, &f) || f.Class != worker.Permanent || f.Code != document.CodeDocumentNotFound {
			t.Fatalf("got %v; want a permanent failure, document_not_found", err)
		}
		res.Settled(context.Background(), false)
		if left := r.keys(document.DocumentPrefix(u.DocumentID)); len(left) != 0 {
			t.Errorf("%v are left", left)
		}
	})
}

// Somebody enqueues a document that is done, as any RQ producer may.
func TestAnotherJobOfACompletedDocumentAnswersTheSame(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		r.work()
		u := r.upload("a.txt", sample)
		r.process(u)
		before := r.committed(u.DocumentID, sample)
		j, err := r.queue.Enqueue(context.Background(), rq.Spec{Queue: queueName, Func: document.ProcessFunc,
			Kwargs: map[string]any{"document_id": u.DocumentID}})
		if err != nil {
			t.Fatal(err)
		}
		r.until("the second job's end", func() bool {
			got, err := r.queue.Job(context.Background(), j.ID)
			return err == nil && got.Status == rq.StatusFinished
		})
		if v := r.result(j.ID); v["status"] != "completed" || v["chunks"] != int64(before.TotalChunks) || v["words"] != int64(14) {
			t.Errorf("the second job answers %v", v)
		}
		if after := r.committed(u.DocumentID, sample); after.ExecutionID != before.ExecutionID || after.Attempts != 1 {
			t.Errorf("execution %s, %d attempts after; want %s and 1", after.ExecutionID, after.Attempts, before.ExecutionID)
		}
	})
}

func TestOriginalsAreKeptWhereThatIsSet(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s, func(c *document.Config) { c.KeepOriginal = true })
		r.work()
		crlf := strings.ReplaceAll(sample, "\n", "\r\n")
		first, bytes, text := r.upload("a.txt", sample), r.upload("b.txt", sample), r.upload("c.txt", crlf)
		r.process(first)
		d := r.await(first.DocumentID, document.Completed)
		if got := r.object(d.OriginalKey); got != sample {
			t.Errorf("the original holds %q", got)
		}
		r.process(bytes)
		same := r.await(bytes.DocumentID, document.Duplicate)
		if same.OriginalKey != "" || same.TotalChunks != d.TotalChunks || same.Format != d.Format {
			t.Errorf("the duplicate's record: original %q, %d chunks, format %q; want none of its own and the first's numbers", same.OriginalKey, same.TotalChunks, same.Format)
		}
		r.process(text)
		other := r.await(text.DocumentID, document.Duplicate)
		if other.DuplicateOf != d.ID || other.OriginalKey == "" {
			t.Fatalf("duplicate of %q with original %q; want %s and its own", other.DuplicateOf, other.OriginalKey, d.ID)
		}
		for _, x := range []*document.Document{d, same, other} {
			r.until("the upload's removal", func() bool { return len(r.keys(x.UploadKey)) == 0 })
		}
		r.until("nothing but record and original of the one with other bytes", func() bool {
			return r.holdsOnly(other.ID, other.OriginalKey, recordCopy(other.ID))
		})
		if got := r.object(other.OriginalKey); got != crlf {
			t.Errorf("the original holds %q; want the bytes that came", got)
		}
	})
}

// asked keeps what the extractor was asked for.
type asked struct {
	paragraphs
	requests chan extract.Request
}

func (a asked) Extract(ctx context.Context, r extract.Request, p func(extract.Progress)) (*extract.Document, error) {
	a.requests <- r
	return a.paragraphs.Extract(ctx, r, p)
}

func TestWhatTheRequestSaysReachesExtractionAndChunking(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		a := asked{requests: make(chan extract.Request, 1)}
		r.work(func(c *Config) { c.Pool = a })
		u := r.upload("relatório.txt", strings.Repeat(sample+"\n\n", 20), func(n *document.NewUpload) { n.ContentType = "text/plain; charset=utf-8" })
		tokens, overlap := 60, 0
		r.process(u, func(p *document.ProcessRequest) {
			p.Password, p.ChunkTokens, p.ChunkOverlap = "open sesame", &tokens, &overlap
		})
		got := <-a.requests
		if got.Name != "relatório.txt" || got.DeclaredType != "text/plain; charset=utf-8" || got.Password != "open sesame" {
			t.Errorf("extraction was asked for %q, %q, password %q", got.Name, got.DeclaredType, got.Password)
		}
		d := r.await(u.DocumentID, document.Completed)
		m := r.object(document.ArtifactPrefix(d.ID, d.ExecutionID) + document.ManifestName)
		if !strings.Contains(m, `"chunk_tokens": 60`) || !strings.Contains(m, `"chunk_overlap": 0`) || d.TotalChunks < 4 {
			t.Errorf("%d chunks, manifest %s", d.TotalChunks, m)
		}
		if strings.Contains(m+r.logs.String(), "sesame") {
			t.Error("the password is in the manifest or the log")
		}
	})
}

// Redis is killed while a document is extracted, and comes back.
func TestRedisKilledWhileADocumentIsProcessed(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.RedisServer)
	r := newRig(t, s)
	ctx := context.Background()
	if err := r.rdb.ConfigSet(ctx, "appendfsync", "always").Err(); err != nil {
		t.Fatal(err)
	}
	p := pager{step: make(chan struct{})}
	r.work(func(c *Config) { c.Pool = p })
	u := r.upload("a.pdf", sample)
	r.process(u)
	p.step <- struct{}{} // the first page is read: the job runs
	s.Kill()
	for range 3 {
		p.step <- struct{}{}
	}
	r.until("the outage in the log", func() bool { return strings.Contains(r.logs.String(), "redis cannot serve") })
	s.Restart(t)
	if d := r.committed(u.DocumentID, "text"); d.Attempts != 1 {
		t.Errorf("%d attempts; want 1: the outage was waited for", d.Attempts)
	}
}
