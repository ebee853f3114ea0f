package document

import (
	"slices"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/rq"
)

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
				f.forget()
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
		unfinished := f.seed(Extracting, "a-job-that-was-deleted")
		want(unfinished.ID, "any", Keep)
		failed := failedDocument(f)
		want(failed.DocumentID, "any", Remove)
		duplicate := f.seed(Duplicate, "job")
		f.rdb.HSet(t.Context(), f.k.document(duplicate.ID), "original_key", OriginalKey(duplicate.ID, "e1"))
		want(duplicate.ID, "e1", Keep)
		want(duplicate.ID, "e2", Remove)
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
