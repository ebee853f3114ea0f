package document

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/rq"
)

// ledger reads the ledger, which must be complete.
func (f *fixture) ledger() *Ledger {
	f.t.Helper()
	l, err := f.Ledger(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	if !l.Complete {
		f.t.Fatalf("not complete: %+v", l)
	}
	return l
}

// wantLedger checks all sums, and that nothing is missing.
func (f *fixture) wantLedger(want Ledger) {
	f.t.Helper()
	got := *f.ledger()
	got.Complete, got.AuditedAt, got.ByState, got.Lost = false, nil, nil, nil
	want.Lost = nil
	if got.Unaccounted != 0 || !equalLedgers(got, want) {
		f.t.Fatalf("ledger %+v, want %+v", got, want)
	}
}

func equalLedgers(a, b Ledger) bool {
	return a.Accepted == b.Accepted && a.Seeded == b.Seeded && a.Completed == b.Completed && a.Duplicate == b.Duplicate &&
		a.Failed == b.Failed && a.Canceled == b.Canceled && a.Live == b.Live && a.Deleted == b.Deleted && a.Archived == b.Archived &&
		a.LostDocuments == b.LostDocuments && a.ForeignChanges == b.ForeignChanges
}

// A document is counted once, when it is accepted, whatever happens to it
// afterwards, and the books agree after each step.
func TestLedgerFollowsDocuments(t *testing.T) {
	eachKept(t, func(t *testing.T, f *fixture) {
		up := f.presign(5, nil)
		f.wantLedger(Ledger{})
		late := f.presign(5, nil)
		f.put(up, "hello")
		a := f.process(up, nil)
		f.process(up, nil)
		f.wantLedger(Ledger{Accepted: 1, Live: 1})

		c, _ := f.begin()
		f.wantLedger(Ledger{Accepted: 1, Live: 1})
		f.finish(c, rq.Outcome{Kind: rq.OutcomeFail, Error: "damaged", ErrorCode: "corrupt"})
		f.wantLedger(Ledger{Accepted: 1, Failed: 1})
		if _, err := f.Retry(t.Context(), a.JobID); err != nil {
			t.Fatal(err)
		}
		f.wantLedger(Ledger{Accepted: 1, Live: 1})
		f.cancel(a.JobID)
		f.wantLedger(Ledger{Accepted: 1, Canceled: 1})
		f.process(up, nil)
		f.complete("s1", "t1")
		f.wantLedger(Ledger{Accepted: 1, Completed: 1})
		f.process(up, nil)

		f.queued()
		c, d := f.begin()
		effects, conditions := f.Duplicate(d, up.DocumentID, f.manifest(d, c.Execution.ID, "s1", "t1"))
		f.finish(c, rq.Outcome{Kind: rq.OutcomeFinish, Effects: effects, Conditions: conditions})
		f.wantLedger(Ledger{Accepted: 2, Completed: 1, Duplicate: 1})

		// One whose URL ran out was never accepted, however it goes on.
		f.clock.forward(2 * time.Hour)
		f.sweep()
		f.wantState(late.DocumentID, Failed)
		f.wantLedger(Ledger{Accepted: 2, Completed: 1, Duplicate: 1})
		f.put(late, "hello")
		f.process(late, nil)
		f.wantLedger(Ledger{Accepted: 3, Completed: 1, Duplicate: 1, Live: 1})
		f.mustDelete(late.DocumentID)
		never := f.presign(5, nil)
		f.mustDelete(never.DocumentID)
		f.wantLedger(Ledger{Accepted: 3, Completed: 1, Duplicate: 1, Deleted: 1})

		f.mustKeep()
		f.clock.forward(retention + time.Hour)
		f.mustKeep()
		f.wantLedger(Ledger{Accepted: 3, Deleted: 1, Archived: 2})
		f.mustRebuild(RebuildOptions{ID: up.DocumentID})
		f.wantLedger(Ledger{Accepted: 4, Seeded: 1, Completed: 1, Deleted: 1, Archived: 2})
		f.sweep()
		f.wantLedger(Ledger{Accepted: 4, Seeded: 1, Completed: 1, Deleted: 1, Archived: 2})
	})
}

// Objects of the bucket are accepted when the request is answered, or by the
// first run of a producer's job; so is an upload that nobody asked process for.
func TestLedgerOfOtherWaysIn(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.source("in/a.txt", "hello")
		f.take(ObjectRequest{Key: "in/a.txt"})
		f.take(ObjectRequest{Key: "in/a.txt"})
		f.wantLedger(Ledger{Accepted: 1, Live: 1})
		f.complete("s1", "")
		f.source("in/b.txt", "other")
		f.enqueueObject(nil, "in/b.txt")
		f.wantLedger(Ledger{Accepted: 1, Completed: 1})
		f.begin()
		f.wantLedger(Ledger{Accepted: 2, Completed: 1, Live: 1})

		up := f.presign(5, nil)
		f.put(up, "hello")
		if _, err := f.queue.Enqueue(t.Context(), rq.Spec{Queue: "document_processing", Func: ProcessFunc, Args: []any{up.DocumentID}}); err != nil {
			t.Fatal(err)
		}
		c := f.claimAsOther(t)
		if _, err := f.Begin(t.Context(), c.Job); err != nil {
			t.Fatal(err)
		}
		f.wantLedger(Ledger{Accepted: 3, Completed: 1, Live: 2}) // before its first progress, too
		f.wantState(up.DocumentID, Uploaded)
		f.sweep()
		f.wantLedger(Ledger{Accepted: 3, Completed: 1, Live: 2})
	})
}

// claimAsOther claims a job for another slot than claim does.
func (f *fixture) claimAsOther(t *testing.T) rq.Claimed {
	t.Helper()
	if err := f.queue.RegisterWorkers(t.Context(), []rq.WorkerBirth{{Name: "w2", Queues: []string{"document_processing"}, Host: "h", BootID: "b", PID: 2}}); err != nil {
		t.Fatal(err)
	}
	list, err := f.queue.Claim(t.Context(), rq.ClaimRequest{Worker: []string{"w2"}, Queues: []string{"document_processing"}})
	if err != nil || len(list) != 1 {
		t.Fatalf("claimed %d jobs, %v", len(list), err)
	}
	return list[0]
}

// What vanishes shows at once as a number, or else after the next sweep, and
// the sweep says what it was and puts right what it can.
func TestLedgerShowsWhatVanished(t *testing.T) {
	type after struct {
		now, swept int64 // unaccounted
		foreign    int64
		reason     string // of the event, of the last
		lost       bool
	}
	tests := []struct {
		name string
		do   func(f *fixture, d *Document)
		want after
	}{
		{"record", func(f *fixture, d *Document) { f.rdb.Del(f.t.Context(), f.k.document(d.ID)) },
			after{0, 1, 1, "foreign_record_removed", true}},
		{"index entry", func(f *fixture, d *Document) { f.rdb.ZRem(f.t.Context(), f.k.byState(Uploaded), d.ID) },
			after{1, 0, 1, "foreign_index", false}},
		{"whole index", func(f *fixture, d *Document) { f.rdb.Del(f.t.Context(), f.k.byState(Uploaded)) },
			after{1, 0, 1, "foreign_index", false}},
		{"entry of all", func(f *fixture, d *Document) { f.rdb.ZRem(f.t.Context(), f.k.all(), d.ID) },
			after{0, 0, 1, "foreign_index", false}},
		{"second place", func(f *fixture, d *Document) {
			f.rdb.ZAdd(f.t.Context(), f.k.byState(Failed), redis.Z{Score: score(d.ID, d.CreatedAt), Member: d.ID})
		}, after{-1, 0, 1, "foreign_place", false}},
		{"entry of the ledger", func(f *fixture, d *Document) { f.rdb.ZRem(f.t.Context(), f.k.accepted(), d.ID) },
			after{0, 0, 1, "foreign_ledger", false}},
		{"record, entries and ledger entry", func(f *fixture, d *Document) {
			f.rdb.Del(f.t.Context(), f.k.document(d.ID))
			for _, index := range []string{f.k.byState(Uploaded), f.k.all(), f.k.accepted()} {
				f.rdb.ZRem(f.t.Context(), index, d.ID)
			}
		}, after{1, 1, 0, "", false}},
		{"record and entries", func(f *fixture, d *Document) {
			f.rdb.Del(f.t.Context(), f.k.document(d.ID))
			for _, index := range []string{f.k.byState(Uploaded), f.k.all()} {
				f.rdb.ZRem(f.t.Context(), index, d.ID)
			}
		}, after{1, 1, 1, "foreign_record_removed", true}},
		{"job", func(f *fixture, d *Document) {
			f.rdb.Del(f.t.Context(), rq.JobKey(d.JobID))
			f.rdb.LRem(f.t.Context(), rq.QueueKey("document_processing"), 0, d.JobID)
		}, after{0, 0, 1, "", false}},
		{"job canceled by RQ", func(f *fixture, d *Document) { f.rdb.HSet(f.t.Context(), rq.JobKey(d.JobID), "status", "canceled") },
			after{0, 0, 1, "canceled outside of docsvc", false}},
		{"counters", func(f *fixture, d *Document) {
			f.rdb.HDel(f.t.Context(), f.k.ledger(), ledgerAccepted, ledgerSeeded, ledgerDeleted, ledgerArchived)
		}, after{-2, 0, 1, "", false}},
	}
	each(t, func(t *testing.T, f *fixture) {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				f.t = t
				f.forget()
				f.rdb.HSet(t.Context(), f.k.ledger(), ledgerSince, "x")
				up, _ := f.queued()
				f.clock.forward(time.Second)
				f.queuedAs("other") // nothing happens to it
				f.cancel(f.get(f.ids(Uploaded)[1]).JobID)
				test.do(f, f.get(up.DocumentID))
				if got := f.ledger().Unaccounted; got != test.want.now {
					t.Errorf("unaccounted at once %d, want %d", got, test.want.now)
				}
				for range 3 { // once more changes nothing
					f.sweep()
					l := f.ledger()
					if l.Unaccounted != test.want.swept || l.ForeignChanges != test.want.foreign || l.AuditedAt == nil {
						t.Errorf("after the sweep %+v, want %+v", l, test.want)
					}
					if lost := slices.Equal(l.Lost, []string{up.DocumentID}); lost != test.want.lost || (l.LostDocuments == 1) != lost {
						t.Errorf("lost %v, want %v", l.Lost, test.want.lost)
					}
				}
				if got := f.reasonOf(up.DocumentID); test.want.reason != "" && got != test.want.reason {
					t.Errorf("event %q, want %q", got, test.want.reason)
				}
			})
		}
	})
}

// ids are the members of the index of a state.
func (f *fixture) ids(s State) []string {
	f.t.Helper()
	return f.rdb.ZRange(f.t.Context(), f.k.byState(s), 0, -1).Val()
}

// reasonOf is that of the last event of a document.
func (f *fixture) reasonOf(id string) string {
	f.t.Helper()
	events := f.events()
	for _, e := range slices.Backward(events) {
		if e["document"] == id {
			reason, _ := e["reason"].(string)
			return reason
		}
	}
	return ""
}

// A lost document comes back with a rebuild, or is given up by deleting it;
// either way the ledger is right again.
func TestLostDocument(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		up, _ := f.queued()
		f.complete("s1", "t1")
		f.mustKeep()
		gone, _ := f.queued()
		for _, id := range []string{up.DocumentID, gone.DocumentID} {
			f.rdb.Del(t.Context(), f.k.document(id))
		}
		f.sweep()
		if l := f.ledger(); l.Unaccounted != 2 || l.LostDocuments != 2 {
			t.Fatalf("%+v", l)
		}
		f.mustRebuild(RebuildOptions{ID: up.DocumentID})
		if l := f.ledger(); l.Unaccounted != 1 || !slices.Equal(l.Lost, []string{gone.DocumentID}) || l.Completed != 1 {
			t.Errorf("%+v", l)
		}
		f.mustDelete(gone.DocumentID)
		f.wantLedger(Ledger{Accepted: 2, Completed: 1, Deleted: 1, ForeignChanges: 2})
		wantError(t, f.Delete(t.Context(), gone.DocumentID), NotFound, CodeDocumentNotFound)
		if f.exists(UploadKey(gone.DocumentID, gone.UploadID)) {
			t.Error("its upload is still there")
		}
		// One of which only the upload is left is accepted again as what it was.
		again, _ := f.queued()
		f.rdb.Del(t.Context(), f.k.document(again.DocumentID))
		f.sweep()
		f.mustRebuild(RebuildOptions{ID: again.DocumentID})
		f.wantLedger(Ledger{Accepted: 3, Completed: 1, Failed: 1, Deleted: 1, ForeignChanges: 3})
		f.sweep()
		f.wantLedger(Ledger{Accepted: 3, Completed: 1, Failed: 1, Deleted: 1, ForeignChanges: 3})
	})
}

// withoutLedger makes Redis one that a docsvc without a ledger has written.
func (f *fixture) withoutLedger() {
	f.t.Helper()
	f.rdb.Del(f.t.Context(), f.k.ledger(), f.k.accepted(), f.k.unaccepted(), f.k.lost())
}

// Documents from before the ledger are counted in rounds; until all are, the
// difference is not told.
func TestLedgerOfAnEarlierVersion(t *testing.T) {
	eachKept(t, func(t *testing.T, f *fixture) {
		f.archiveOf() // of all kinds
		f.mustKeep()
		before := *f.ledger()
		f.withoutLedger()
		const many = 40
		f.auditRound = many
		f.seedMany(many, Completed, map[string]string{"queued_at": stamp(f.clock.now())})
		if l, err := f.Ledger(t.Context()); err != nil || l.Complete || l.Unaccounted != 0 || l.LostDocuments != 0 {
			t.Fatalf("%+v, %v", l, err)
		}
		sweeps := 0
		for l := (&Ledger{}); !l.Complete; sweeps++ {
			if sweeps > 20 {
				t.Fatalf("not complete after %d sweeps: %+v", sweeps, l)
			}
			f.sweep()
			var err error
			if l, err = f.Ledger(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if sweeps < 3 {
			t.Errorf("complete after %d sweeps: a round is not bounded", sweeps)
		}
		want := before
		want.Seeded, want.Accepted = before.Accepted-before.Deleted+many, before.Accepted-before.Deleted+many
		want.Completed, want.Deleted = before.Completed+many, 0
		f.wantLedger(want)
		f.queued()
		want.Accepted, want.Live = want.Accepted+1, want.Live+1
		f.wantLedger(want)
	})
}

// What processes of the version before do beside those of this one is
// understood by the next audits, and is nobody's loss.
func TestLedgerBesideAnEarlierVersion(t *testing.T) {
	eachKept(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		f.queuedAs("kept")
		old, _ := f.complete("s1", "t1")
		f.queuedAs("deleted")
		gone, _ := f.complete("s2", "t2")
		f.mustKeep()
		f.wantLedger(Ledger{Accepted: 2, Completed: 2})

		// Deleted and archived without the ledger.
		f.mustDelete(gone.ID)
		f.rdb.ZAdd(ctx, f.k.accepted(), redis.Z{Score: score(gone.ID, gone.CreatedAt), Member: gone.ID})
		f.clock.forward(retention + time.Hour)
		if kept := f.mustKeep(); kept.Archived != 1 {
			t.Fatalf("%+v", kept)
		}
		f.rdb.ZAdd(ctx, f.k.accepted(), redis.Z{Score: score(old.ID, old.CreatedAt), Member: old.ID})
		f.rdb.ZAdd(ctx, f.k.deleted(), redis.Z{Score: float64(f.clock.now().Add(time.Hour).UnixMilli()), Member: gone.ID})
		f.rdb.HSet(ctx, f.k.ledger(), ledgerDeleted, "0", ledgerArchived, "0")
		if l := f.ledger(); l.Unaccounted != 2 {
			t.Errorf("%+v", l)
		}
		f.sweep()
		f.wantLedger(Ledger{Accepted: 2, Deleted: 1, Archived: 1})

		// Accepted and expired without the ledger.
		up, _ := f.queued()
		f.rdb.ZRem(ctx, f.k.accepted(), up.DocumentID)
		f.rdb.HIncrBy(ctx, f.k.ledger(), ledgerAccepted, -1)
		late := f.presign(5, nil)
		f.clock.forward(2 * time.Hour)
		f.sweep()
		f.rdb.ZRem(ctx, f.k.unaccepted(), late.DocumentID)
		if l := f.ledger(); l.Unaccounted != -1 { // the accepted one was seeded by that sweep
			t.Errorf("%+v", l)
		}
		f.sweep()
		f.wantLedger(Ledger{Accepted: 3, Seeded: 1, Live: 1, Deleted: 1, Archived: 1})
	})
}

// An emptied Redis has an empty ledger; a rebuild fills it again.
func TestLedgerAfterRebuild(t *testing.T) {
	eachKept(t, func(t *testing.T, f *fixture) {
		f.archiveOf()
		f.mustKeep()
		before := *f.ledger()
		f.rdb.FlushDB(t.Context())
		f.mustRebuild(RebuildOptions{})
		f.sweep()
		l := f.ledger()
		if l.Unaccounted != 0 || l.Completed != before.Completed || l.Duplicate != before.Duplicate || l.Canceled != before.Canceled ||
			l.Failed != before.Failed || l.Accepted != l.Seeded || l.ForeignChanges != 0 {
			t.Errorf("before %+v, after %+v", before, l)
		}
	})
}

// Many are lost: they are counted, and the latest are named.
func TestManyLostDocuments(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.presign(5, nil)
		ids := f.seedMany(ledgerNames+5, Completed, map[string]string{"queued_at": stamp(f.clock.now())})
		f.sweep()
		for i, id := range ids {
			f.clock.forward(time.Second)
			f.rdb.Del(t.Context(), f.k.document(id))
			if i == 0 {
				f.sweep()
			}
		}
		f.sweep()
		l := f.ledger()
		if l.LostDocuments != ledgerNames+5 || len(l.Lost) != ledgerNames || l.Unaccounted != ledgerNames+5 || slices.Contains(l.Lost, ids[0]) {
			t.Errorf("%+v", l)
		}
	})
}

// A record of a newer version with a state that this one does not know, and a
// key of another type, are left alone.
func TestAuditLeavesWhatItDoesNotKnow(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ids := f.seedMany(2, Completed, nil)
		f.rdb.HSet(t.Context(), f.k.document(ids[0]), "status", "reviewing")
		f.rdb.Del(t.Context(), f.k.document(ids[1]))
		f.rdb.Set(t.Context(), f.k.document(ids[1]), "not a hash", 0)
		f.rdb.Set(t.Context(), f.k.auditCursor(), "99 "+strconv.Itoa(-5), 0)
		before := f.keyspace()
		if swept := f.sweep(); swept.Foreign != 0 {
			t.Errorf("%+v", swept)
		}
		if diff := difference(before, f.keyspace()); diff != "" {
			t.Errorf("Redis differs at %s", diff)
		}
	})
}
