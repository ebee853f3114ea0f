package document

import (
	"slices"
	"testing"

	"github.com/redis/go-redis/v9"
)

// A document that another state's index named when the page was read, and has
// moved on since, is where it belongs: nobody did anything to it.
func TestAuditOfADocumentThatMovesOn(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		id := f.seedMany(1, Completed, nil)[0]
		page := []redis.Z{{Member: id, Score: f.rdb.ZScore(t.Context(), f.k.all(), id).Val()}}
		before, swept := f.keyspace(), Swept{}
		if err := f.auditDocuments(t.Context(), Extracting, page, &swept); err != nil || swept.Foreign != 0 {
			t.Errorf("%+v, %v", swept, err)
		}
		if diff := difference(before, f.keyspace()); diff != "" {
			t.Errorf("Redis differs at %s", diff)
		}
	})
}

// Of the documents that no ledger has, those that were queued once were
// accepted; the others failed before, and are no longer among these once they
// were.
func TestAuditTellsAcceptedFromFailed(t *testing.T) {
	eachKept(t, func(t *testing.T, f *fixture) {
		f.presign(5, nil)
		f.sweep()
		never := f.seedMany(1, Failed, map[string]string{"queued_at": ""})[0]
		at := stamp(f.clock.now())
		once := f.seedMany(1, Failed, map[string]string{"queued_at": at})[0]
		f.rdb.ZAdd(t.Context(), f.k.unaccepted(), redis.Z{Score: 1, Member: once})
		f.sweep()
		f.wantLedger(Ledger{Accepted: 1, Seeded: 1, Failed: 1})
		if list := f.rdb.ZRange(t.Context(), f.k.unaccepted(), 0, -1).Val(); !slices.Equal(list, []string{never}) {
			t.Errorf("failed without being accepted: %v, want %s", list, never)
		}
	})
}
