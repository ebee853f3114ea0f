package document

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/rq"
)

//go:embed lua/ledger.lua
var ledgerLua string

var ledgerScript = redis.NewScript(ledgerLua)

// The fields of keys.ledger. The counters only grow.
const (
	ledgerAccepted = "accepted"
	ledgerSeeded   = "seeded"
	ledgerDeleted  = "deleted"
	ledgerArchived = "archived"
	ledgerForeign  = "foreign_changes"
	// ledgerSince and ledgerAudited are times: when everything had been counted
	// for the first time, and when the last audit came to its end.
	ledgerSince   = "since"
	ledgerAudited = "audited_at"
)

// ledgerNames is how many lost documents a Ledger names.
const ledgerNames = 10

// Ledger compares what was accepted with what is there. The two sides are kept
// apart: transitions count what they accept and what leaves, in the scripts
// that make them, and the other side are the sizes of the indexes that readers
// and the sweep go by. A record, an entry or a transition that vanished is a
// difference.
type Ledger struct {
	// Accepted are the documents that were accepted, Seeded among them:
	// accepted before there was a ledger, by a process that keeps none, or
	// made again from the bucket.
	Accepted int64 `json:"accepted"`
	Seeded   int64 `json:"seeded"`

	Completed int64 `json:"completed"`
	Duplicate int64 `json:"duplicate"`
	Failed    int64 `json:"failed"` // without those that were never accepted
	Canceled  int64 `json:"canceled"`
	Live      int64 `json:"live"`     // waiting or in work
	Deleted   int64 `json:"deleted"`  // by a request
	Archived  int64 `json:"archived"` // moved into the bucket

	// Unaccounted is Accepted without all of the above: 0 when nothing is
	// missing, negative when more is there than was accepted. It is 0 while
	// Complete is false.
	Unaccounted int64 `json:"unaccounted"`
	// Complete: the documents of before the ledger have all been counted.
	Complete bool `json:"complete"`
	// Lost are accepted documents whose record is gone, the latest ten of
	// LostDocuments.
	Lost          []string `json:"lost"`
	LostDocuments int64    `json:"lost_documents"`
	// ForeignChanges counts what other tools did to jobs, records and indexes
	// and the sweep has found; the events stream has each of them.
	ForeignChanges int64 `json:"foreign_changes"`
	// AuditedAt is when the sweep last had compared all documents; nil before.
	AuditedAt *time.Time `json:"audited_at"`

	// ByState are the sizes of the indexes, those never accepted included.
	ByState map[State]int64 `json:"-"`
}

// Ledger reads both sides in one script, so that no transition falls between
// them. Errors: Unavailable.
func (s *Service) Ledger(ctx context.Context) (*Ledger, error) {
	names := []string{s.k.ledger(), s.k.accepted(), s.k.unaccepted(), s.k.lost()}
	for _, state := range States() {
		names = append(names, s.k.byState(state))
	}
	reply, err := ledgerScript.Run(ctx, s.rdb, names, ledgerNames).Slice()
	if err != nil {
		return nil, redisError("reading the ledger", err)
	}
	if len(reply) != 4 {
		return nil, fmt.Errorf("reading the ledger: unexpected reply")
	}
	counters, sizes, states := pairs(reply[0]), integers(reply[1]), integers(reply[3])
	if len(sizes) != 3 || len(states) != len(States()) {
		return nil, fmt.Errorf("reading the ledger: unexpected reply")
	}
	l := &Ledger{Seeded: counter(counters, ledgerSeeded), Deleted: counter(counters, ledgerDeleted), Archived: counter(counters, ledgerArchived),
		ForeignChanges: counter(counters, ledgerForeign), Complete: counters[ledgerSince] != "",
		Lost: texts(reply[2]), LostDocuments: sizes[2], ByState: map[State]int64{}}
	l.Accepted = counter(counters, ledgerAccepted) + l.Seeded
	for i, state := range States() {
		l.ByState[state] = states[i]
		if state.Active() {
			l.Live += states[i]
		}
	}
	l.Completed, l.Duplicate, l.Canceled = l.ByState[Completed], l.ByState[Duplicate], l.ByState[Canceled]
	l.Failed = l.ByState[Failed] - sizes[1]
	if l.Complete {
		l.Unaccounted = l.Accepted - l.Completed - l.Duplicate - l.Failed - l.Canceled - l.Live - l.Deleted - l.Archived
	}
	if at, err := time.Parse(time.RFC3339Nano, counters[ledgerAudited]); err == nil {
		l.AuditedAt = &at
	}
	return l, nil
}

// integers reads a list of numbers out of a script's reply.
func integers(v any) []int64 {
	items, _ := v.([]any)
	list := make([]int64, 0, len(items))
	for _, item := range items {
		n, _ := item.(int64)
		list = append(list, n)
	}
	return list
}

// texts reads a list of texts out of a script's reply.
func texts(v any) []string {
	items, _ := v.([]any)
	list := make([]string, 0, len(items))
	for _, item := range items {
		text, _ := item.(string)
		list = append(list, text)
	}
	return list
}

// accept enters a document into the ledger, once, whatever it was before. It
// belongs into a script whose conditions say that the document is changed.
func (s *Service) accept(d *Document) []rq.Effect {
	absent := rq.Guard{Key: s.k.accepted(), Field: d.ID}
	return []rq.Effect{
		rq.HIncrBy(s.k.ledger(), ledgerAccepted, 1).When(absent),
		rq.ZAdd(s.k.accepted(), score(d.ID, d.CreatedAt), d.ID),
		rq.ZRem(s.k.unaccepted(), d.ID),
	}
}

// leave takes a document out of the ledger and counts where it went. It belongs
// into a script whose conditions say that the record goes, or is gone.
func (s *Service) leave(id, counter string) []rq.Effect {
	present := rq.Guard{Key: s.k.accepted(), Field: id, Not: true}
	return []rq.Effect{
		rq.HIncrBy(s.k.ledger(), counter, 1).When(present),
		rq.ZRem(s.k.accepted(), id),
		rq.ZRem(s.k.unaccepted(), id),
		rq.ZRem(s.k.lost(), id),
	}
}

// foreign counts a change that another tool made, in the script that follows
// it.
func (s *Service) foreign() rq.Effect { return rq.HIncrBy(s.k.ledger(), ledgerForeign, 1) }

// openLedger begins the ledger of a new installation, of which everything will
// be counted. That of an older one begins with the end of the first audit.
func (s *Service) openLedger(ctx context.Context) error {
	return redisError("opening the ledger", s.rdb.HSetNX(ctx, s.k.ledger(), ledgerSince, stamp(s.c.Clock())).Err())
}

// scoreAt writes a time as the score of a set of ids by milliseconds.
func scoreAt(at time.Time) float64 { return float64(at.UnixMilli()) }

// scoreText writes a score as the scripts take it.
func scoreText(score float64) string { return strconv.FormatFloat(score, 'f', -1, 64) }
