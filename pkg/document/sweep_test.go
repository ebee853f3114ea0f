package document

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq"
	"github.com/docsvc/docsvc/pkg/s3test"
)

// sweep runs a sweep whatever the lock says.
func (f *fixture) sweep() Swept {
	f.t.Helper()
	f.rdb.Del(f.t.Context(), f.k.sweepLock())
	swept, err := f.Sweep(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	return swept
}

// TestSweep has a document in a state and somebody else do something to its
// job; then the sweep must bring them together.
func TestSweep(t *testing.T) {
	job := func(f *fixture, d *Document) string { return rq.JobKey(d.JobID) }
	tests := []struct {
		name  string
		state State // before: Uploaded (queued) or Extracting (a worker has it)
		do    func(f *fixture, d *Document)
		want  State
		code  string
		count Swept
	}{
		{"nothing happened to a queued one", Uploaded, func(*fixture, *Document) {}, Uploaded, "", Swept{Looked: 1}},
		{"nothing happened to a running one", Extracting, func(*fixture, *Document) {}, Extracting, "", Swept{Looked: 1}},
		{"claimed and not begun", Uploaded, func(f *fixture, _ *Document) { f.claim() }, Uploaded, "", Swept{Looked: 1}},
		{"job deleted while queued", Uploaded, func(f *fixture, d *Document) {
			f.rdb.Del(f.t.Context(), job(f, d))
			f.rdb.LRem(f.t.Context(), rq.QueueKey("document_processing"), 0, d.JobID)
		}, Uploaded, "", Swept{Looked: 1, Requeued: 1}},
		{"job deleted while running", Extracting, func(f *fixture, d *Document) { f.rdb.Del(f.t.Context(), job(f, d)) },
			Uploaded, "", Swept{Looked: 1, Requeued: 1}},
		{"job and file deleted", Uploaded, func(f *fixture, d *Document) {
			f.rdb.Del(f.t.Context(), job(f, d))
			f.store.Delete(f.t.Context(), d.UploadKey)
		}, Failed, CodeUploadGone, Swept{Looked: 1, Failed: 1}},
		{"job deleted too often", Uploaded, func(f *fixture, d *Document) {
			f.rdb.Del(f.t.Context(), job(f, d))
			f.rdb.HSet(f.t.Context(), f.k.document(d.ID), "lost", lostLimit)
		}, Failed, CodeJobLost, Swept{Looked: 1, Failed: 1}},
		{"marked finished", Extracting, func(f *fixture, d *Document) { f.rdb.HSet(f.t.Context(), job(f, d), "status", "finished") },
			Uploaded, "", Swept{Looked: 1, Requeued: 1}},
		{"failed by RQ's cleaner", Extracting, func(f *fixture, d *Document) { f.rdb.HSet(f.t.Context(), job(f, d), "status", "failed") },
			Failed, CodeWorkerDied, Swept{Looked: 1, Failed: 1}},
		{"canceled by RQ", Uploaded, func(f *fixture, d *Document) { f.rdb.HSet(f.t.Context(), job(f, d), "status", "canceled") },
			Canceled, "", Swept{Looked: 1, Canceled: 1}},
		{"stopped by RQ", Extracting, func(f *fixture, d *Document) { f.rdb.HSet(f.t.Context(), job(f, d), "status", "stopped") },
			Canceled, "", Swept{Looked: 1, Canceled: 1}},
		{"put back by RQ's cleaner", Extracting, func(f *fixture, d *Document) {
			f.rdb.HSet(f.t.Context(), job(f, d), "status", "queued")
			f.rdb.RPush(f.t.Context(), rq.QueueKey("document_processing"), d.JobID)
		}, Uploaded, "", Swept{Looked: 1, Waiting: 1}},
		{"scheduled by RQ's retry", Extracting, func(f *fixture, d *Document) { f.rdb.HSet(f.t.Context(), job(f, d), "status", "scheduled") },
			Uploaded, "", Swept{Looked: 1, Waiting: 1}},
		{"a state that only newer RQs know", Uploaded, func(f *fixture, d *Document) { f.rdb.HSet(f.t.Context(), job(f, d), "status", "rate_limited") },
			Uploaded, "", Swept{Looked: 1}},
		{"popped by a worker that died", Uploaded, func(f *fixture, d *Document) {
			f.rdb.LPop(f.t.Context(), rq.QueueKey("document_processing"))
			f.clock.forward(2 * lostAfter)
		}, Uploaded, "", Swept{Looked: 1, Requeued: 1}},
		{"popped by a worker just now", Uploaded, func(f *fixture, d *Document) {
			f.rdb.LPop(f.t.Context(), rq.QueueKey("document_processing"))
		}, Uploaded, "", Swept{Looked: 1}},
		{"held in the intermediate list", Uploaded, func(f *fixture, d *Document) {
			f.rdb.LMove(f.t.Context(), rq.QueueKey("document_processing"), rq.IntermediateKey("document_processing"), "LEFT", "RIGHT")
			f.clock.forward(2 * lostAfter)
		}, Uploaded, "", Swept{Looked: 1}},
		{"deleted", Uploaded, func(f *fixture, d *Document) { f.rdb.Del(f.t.Context(), f.k.document(d.ID)) }, "", "", Swept{Looked: 1}},
	}
	each(t, func(t *testing.T, f *fixture) {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				f.t = t
				f.rdb.FlushDB(t.Context())
				up, _ := f.queued()
				if test.state == Extracting {
					f.begin()
				}
				d := f.wantState(up.DocumentID, test.state)
				test.do(f, d)
				got := f.sweep()
				// One that goes back to uploaded may be seen there again.
				if got.Looked = min(got.Looked, 1); got != test.count {
					t.Errorf("swept %+v, want %+v", got, test.count)
				}
				if test.want == "" {
					if states := f.states(); len(states) > 0 {
						t.Errorf("a deleted document is left in %v", states)
					}
					return
				}
				after := f.wantState(d.ID, test.want)
				if after.ErrorCode != test.code {
					t.Errorf("error_code %q, want %q", after.ErrorCode, test.code)
				}
				if test.count.Requeued > 0 {
					// It is there once, and runs.
					if ids := f.rdb.LRange(t.Context(), rq.QueueKey("document_processing"), 0, -1).Val(); len(ids) != 1 || ids[0] != d.JobID {
						t.Fatalf("queue %v", ids)
					}
					if _, done := f.complete("s1", "t1"); done.Err != nil {
						t.Fatal(done.Err)
					}
					f.wantState(d.ID, Completed)
				}
				before := f.keyspace()
				if swept := f.sweep(); swept.Failed+swept.Requeued+swept.Canceled+swept.Waiting+swept.Expired > 0 && test.code == "" && test.count.Requeued == 0 {
					t.Errorf("a second sweep did %+v", swept)
				}
				if diff := difference(before, f.keyspace()); diff != "" {
					t.Errorf("a second sweep changed %s", diff)
				}
			})
		}
	})
}

func TestSweepExpiresUploads(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		old := f.presign(5, nil)
		f.put(old, "hello")
		f.clock.forward(30 * time.Minute)
		young := f.presign(5, nil)
		f.clock.forward(30 * time.Minute)
		if got := f.sweep(); got.Expired != 1 {
			t.Errorf("%+v", got)
		}
		d := f.wantState(old.DocumentID, Failed)
		if d.ErrorCode != CodeUploadExpired || d.Error == "" || d.FinishedAt.IsZero() {
			t.Errorf("%+v", d)
		}
		f.wantState(young.DocumentID, AwaitingUpload)
		events := f.events()
		if last := events[len(events)-1]; last["document"] != old.DocumentID || last["document_to"] != "failed" || last["reason"] != CodeUploadExpired {
			t.Errorf("event %v", last)
		}
		if got := f.sweep(); got.Expired != 0 {
			t.Errorf("again: %+v", got)
		}
		if !f.exists(UploadKey(old.DocumentID, old.UploadID)) {
			t.Error("a sweep deletes nothing")
		}
	})
}

func TestSweepTakesTurns(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		up := f.presign(5, nil)
		f.clock.forward(2 * time.Hour)
		if err := f.rdb.Set(t.Context(), f.k.sweepLock(), "another process", time.Minute).Err(); err != nil {
			t.Fatal(err)
		}
		if got, err := f.Sweep(t.Context()); err != nil || got != (Swept{}) {
			t.Errorf("%+v, %v", got, err)
		}
		f.wantState(up.DocumentID, AwaitingUpload)
		f.sweep()
		f.wantState(up.DocumentID, Failed)
	})
}

func TestSweepWhenStorageFails(t *testing.T) {
	t.Parallel()
	f := newFixture(t, redistest.Start(t, redistest.Miniredis), nil)
	up, a := f.queued()
	f.rdb.Del(t.Context(), rq.JobKey(a.JobID))
	f.s3.Fail(func(*http.Request) *s3test.Fault { return &s3test.Fault{Status: http.StatusServiceUnavailable} })
	f.sweep()
	f.wantState(up.DocumentID, Uploaded) // whether its file is there is not known
	f.s3.Fail(nil)
	if got := f.sweep(); got.Requeued != 1 {
		t.Errorf("%+v", got)
	}
}

// A record that can't be read must not stop the sweep of the others.
func TestSweepGoesPastBadRecords(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		bad, _ := f.queued()
		good, a := f.queued()
		f.rdb.HSet(t.Context(), f.k.document(bad.DocumentID), "schema", "9")
		f.rdb.HSet(t.Context(), rq.JobKey(a.JobID), "status", "canceled")
		if got := f.sweep(); got.Canceled != 1 || got.Looked != 2 {
			t.Errorf("%+v", got)
		}
		f.wantState(good.DocumentID, Canceled)
		if status := f.rdb.HGet(t.Context(), f.k.document(bad.DocumentID), "status").Val(); status != "uploaded" {
			t.Errorf("the record of a newer version became %s", status)
		}
	})
}

func TestRelease(t *testing.T) {
	tests := []struct {
		name string
		make func(f *fixture) *Upload
		want Verdict
		mark bool // s3_file_deleted afterwards
	}{
		{"awaiting", func(f *fixture) *Upload { return f.presign(5, nil) }, Keep, false},
		{"awaiting, run out", func(f *fixture) *Upload {
			up := f.presign(5, nil)
			f.clock.forward(time.Hour)
			return up
		}, Remove, true},
		{"queued", func(f *fixture) *Upload { up, _ := f.queued(); return up }, Keep, false},
		{"running", func(f *fixture) *Upload { up, _ := f.queued(); f.begin(); return up }, Keep, false},
		{"waiting to retry", func(f *fixture) *Upload {
			up, _ := f.queued()
			c, _ := f.begin()
			f.finish(c, rq.Outcome{Kind: rq.OutcomeRetry, Error: "no"})
			return up
		}, Keep, false},
		{"failed lately", func(f *fixture) *Upload {
			up := failedDocument(f)
			f.clock.forward(7*24*time.Hour - time.Second)
			return up
		}, Keep, false},
		{"failed long ago", func(f *fixture) *Upload { up := failedDocument(f); f.clock.forward(7 * 24 * time.Hour); return up }, Remove, true},
		{"failed long ago, requeued by a Python tool", func(f *fixture) *Upload {
			up := failedDocument(f)
			f.clock.forward(8 * 24 * time.Hour)
			f.rdb.HSet(f.t.Context(), rq.JobKey(f.get(up.DocumentID).JobID), "status", "queued")
			return up
		}, Keep, false},
		{"canceled lately", func(f *fixture) *Upload {
			up, a := f.queued()
			if _, err := f.queue.Cancel(f.t.Context(), a.JobID); err != nil {
				f.t.Fatal(err)
			}
			return up
		}, Keep, false},
		{"expired", func(f *fixture) *Upload {
			up := f.presign(5, nil)
			f.clock.forward(time.Hour)
			f.sweep()
			return up
		}, Remove, true},
		{"completed", func(f *fixture) *Upload { up, _ := f.queued(); f.complete("s1", "t1"); return up }, Remove, true},
		{"another upload's id", func(f *fixture) *Upload {
			up, _ := f.queued()
			other := *up
			other.UploadID = "stray"
			return &other
		}, Remove, false},
		{"no record", func(f *fixture) *Upload {
			up, _ := f.queued()
			f.rdb.Del(f.t.Context(), f.k.document(up.DocumentID))
			return up
		}, NoRecord, false},
	}
	each(t, func(t *testing.T, f *fixture) {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				f.t = t
				f.rdb.FlushDB(t.Context())
				up := test.make(f)
				before := f.keyspace()
				if got, err := f.Release(t.Context(), up.DocumentID, up.UploadID, true); err != nil || got != test.want {
					t.Fatalf("dry run: %v, %v", got, err)
				}
				if diff := difference(before, f.keyspace()); diff != "" {
					t.Fatalf("a dry run changed %s", diff)
				}
				for range 2 {
					if got, err := f.Release(t.Context(), up.DocumentID, up.UploadID, false); err != nil || got != test.want {
						t.Fatalf("%v, %v", got, err)
					}
				}
				if test.want == NoRecord {
					return
				}
				if d := f.get(up.DocumentID); d.UploadRemoved != test.mark {
					t.Errorf("noted as removed: %v", d.UploadRemoved)
				}
				if !test.mark {
					if diff := difference(before, f.keyspace()); diff != "" {
						t.Errorf("changed %s", diff)
					}
					return
				}
				// From now on nothing can be enqueued that would miss its file.
				_, err := f.Process(t.Context(), up.DocumentID, ProcessRequest{UploadID: up.UploadID})
				if d := f.get(up.DocumentID); !d.Status.Succeeded() && err == nil {
					t.Error("process was accepted")
				}
			})
		}
	})
}

func failedDocument(f *fixture) *Upload {
	up, _ := f.queued()
	c, _ := f.begin()
	f.finish(c, rq.Outcome{Kind: rq.OutcomeFail, Error: "no", ErrorCode: "corrupt"})
	return up
}

// Whoever comes first wins, and the other sees it: never a job without a file.
func TestReleaseAgainstProcess(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		for range 30 {
			up := failedDocument(f)
			f.clock.forward(8 * 24 * time.Hour)
			verdict := make(chan Verdict, 1)
			go func() {
				v, err := f.Release(t.Context(), up.DocumentID, up.UploadID, false)
				if err != nil {
					t.Error(err)
				}
				if v == Remove {
					f.store.Delete(t.Context(), UploadKey(up.DocumentID, up.UploadID))
				}
				verdict <- v
			}()
			_, err := f.Process(t.Context(), up.DocumentID, ProcessRequest{UploadID: up.UploadID})
			got := <-verdict
			d := f.get(up.DocumentID)
			if (got == Remove) != (d.Status == Failed) || (got == Remove) == (err == nil) {
				t.Fatalf("verdict %v, state %s, process said %v", got, d.Status, err)
			}
			if err == nil {
				if _, err := f.queue.Cancel(t.Context(), d.JobID); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

func TestArtifactVerdict(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		want := func(id, execution string, want Verdict) {
			t.Helper()
			if got, err := f.ArtifactVerdict(t.Context(), id, execution); err != nil || got != want {
				t.Errorf("%v, %v, want %v", got, err, want)
			}
		}
		up, _ := f.queued()
		want(up.DocumentID, "any", Keep)
		c, d := f.begin()
		want(up.DocumentID, c.Execution.ID, Keep)
		effects, conditions := f.Complete(d, f.manifest(d, c.Execution.ID, "s1", "t1"))
		f.finish(c, rq.Outcome{Kind: rq.OutcomeFinish, Effects: effects, Conditions: conditions})
		want(up.DocumentID, c.Execution.ID, Keep)
		want(up.DocumentID, "another", Remove)
		failed := failedDocument(f)
		want(failed.DocumentID, "any", Remove)
		f.rdb.Del(t.Context(), f.k.document(up.DocumentID))
		want(up.DocumentID, c.Execution.ID, NoRecord)
	})
}

func TestCompletedIDs(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		var want []string
		for i := range 7 {
			d := f.seed(Completed, "job")
			want = append(want, d.ID)
			if i%3 == 0 {
				f.clock.forward(time.Millisecond)
			}
		}
		var got []string
		after := ""
		for {
			ids, err := f.CompletedIDs(t.Context(), after, 2)
			if err != nil {
				t.Fatal(err)
			}
			if len(ids) == 0 {
				break
			}
			got = append(got, ids...)
			after = ids[len(ids)-1]
			if len(got) == 2 { // the last one is deleted meanwhile
				f.rdb.ZRem(t.Context(), f.k.byState(Completed), after)
			}
		}
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestInstallation(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		if err := f.CheckInstallation(ctx); err != nil {
			t.Fatalf("nothing set up yet: %v", err)
		}
		for range 2 {
			if err := f.EnsureInstallation(ctx); err != nil {
				t.Fatal(err)
			}
		}
		id := f.rdb.Get(ctx, f.k.installation()).Val()
		if got, err := f.bucketInstallation(ctx); err != nil || got != id || id == "" {
			t.Fatalf("bucket %q, Redis %q, %v", got, id, err)
		}
		// Redis was emptied, and nothing was stored yet: goes on as before.
		f.rdb.FlushDB(ctx)
		if err := f.EnsureInstallation(ctx); err != nil || f.rdb.Get(ctx, f.k.installation()).Val() != id {
			t.Fatalf("%v", err)
		}
		// The same with documents in the bucket is refused.
		f.object("documents/x/y/text.md", "text")
		f.rdb.FlushDB(ctx)
		for _, call := range []func() error{func() error { return f.CheckInstallation(ctx) }, func() error { return f.EnsureInstallation(ctx) }} {
			if e := wantError(t, call(), Conflict, CodeRecordsMissing); !strings.Contains(e.Detail, id) {
				t.Error(e.Detail)
			}
		}
		f.rdb.Set(ctx, f.k.installation(), "another", 0)
		wantError(t, f.EnsureInstallation(ctx), Conflict, CodeOtherInstallation)
		f.store.Delete(ctx, installationObject)
		wantError(t, f.EnsureInstallation(ctx), Conflict, CodeOtherInstallation)
		f.rdb.FlushDB(ctx)
		wantError(t, f.EnsureInstallation(ctx), Conflict, CodeRecordsMissing)
		f.object(installationObject, "not json")
		wantError(t, f.CheckInstallation(ctx), Conflict, CodeOtherInstallation)
		f.store.Delete(ctx, installationObject, "documents/x/y/text.md")
		f.rdb.Set(ctx, f.k.installation(), "first", 0)
		if err := f.EnsureInstallation(ctx); err != nil {
			t.Fatal(err)
		}
		if got, err := f.bucketInstallation(ctx); err != nil || got != "first" {
			t.Errorf("%q, %v", got, err)
		}
		f.s3.Stop()
		wantError(t, f.CheckInstallation(ctx), Unavailable, CodeStorageUnavailable)
		wantError(t, f.withoutRedis().CheckInstallation(ctx), Unavailable, CodeQueueUnavailable)
	})
}
