package document

import (
	"net/http"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

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
		{"deleted", Uploaded, func(f *fixture, d *Document) { f.rdb.Del(f.t.Context(), f.k.document(d.ID)) }, "", "", Swept{Looked: 1, Foreign: 1}},
	}
	each(t, func(t *testing.T, f *fixture) {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				f.t = t
				f.forget()
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

// An expired upload whose record can't be read must not hold up the others,
// nor keep the sweep from documents in other states, nor a caller that asks
// until there are no more.
func TestExpireGoesPastBadRecords(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		newer, wrong, empty, good := f.presign(5, nil), f.presign(5, nil), f.presign(5, nil), f.presign(5, nil)
		f.rdb.HSet(t.Context(), f.k.document(newer.DocumentID), "schema", "9")
		f.rdb.Del(t.Context(), f.k.document(wrong.DocumentID))
		f.rdb.Set(t.Context(), f.k.document(wrong.DocumentID), "not a hash", 0)
		f.rdb.HDel(t.Context(), f.k.document(empty.DocumentID), "status")
		f.clock.forward(2 * time.Hour)
		if n, more, err := f.ExpireUploads(t.Context(), 1); n != 1 || err != nil {
			t.Errorf("expired %d, more %v, %v", n, more, err)
		}
		f.wantState(good.DocumentID, Failed)
		if n, more, err := f.ExpireUploads(t.Context(), 1); n != 0 || more || err != nil {
			t.Errorf("expired %d, more %v, %v", n, more, err)
		}
		up, a := f.queued()
		f.rdb.HSet(t.Context(), rq.JobKey(a.JobID), "status", "canceled")
		f.rdb.ZAdd(t.Context(), f.k.byState(Uploaded), redis.Z{Score: 1, Member: wrong.DocumentID})
		if got := f.sweep(); got.Canceled != 1 {
			t.Errorf("swept %+v", got)
		}
		f.wantState(up.DocumentID, Canceled)
	})
}
