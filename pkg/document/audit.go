package document

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/rq"
)

//go:embed lua/audit.lua
var auditLua string

var auditScript = redis.NewScript(auditLua)

const (
	// auditPage is how many entries one script compares: Redis does nothing
	// else meanwhile, for some 5 ms.
	auditPage = 1000
	// auditRound is how many entries one sweep compares, and so, with three
	// entries a document and a sweep every 10 s, 1,000,000 documents in 50
	// minutes: less than deleted ones are remembered.
	auditRound = 10 * auditPage
)

// auditLists are the sorted sets that an audit goes through, with the state
// whose index it is.
func (k keys) auditLists() (names []string, states []State) {
	names, states = []string{k.accepted(), k.all()}, []State{"", ""}
	for _, state := range States() {
		names, states = append(names, k.byState(state)), append(states, state)
	}
	return names, states
}

// audit compares the next auditRound entries of the indexes with the records
// and the ledger, and notes when it has come round. Its place is kept in
// Redis, since any process may run the next sweep.
func (s *Service) audit(ctx context.Context, swept *Swept) error {
	list, from, err := s.auditPlace(ctx)
	if err != nil {
		return err
	}
	names, states := s.k.auditLists()
	for left := s.auditRound; left > 0; {
		page := min(left, auditPage)
		entries, err := s.rdb.ZRangeWithScores(ctx, names[list], from, from+int64(page)-1).Result()
		if err != nil {
			return redisError("listing documents to audit", err)
		}
		if err := s.auditDocuments(ctx, states[list], entries, swept); err != nil {
			return err
		}
		left -= len(entries)
		if from += int64(len(entries)); len(entries) == page {
			continue
		}
		list, from = list+1, 0
		if list == len(names) {
			return s.audited(ctx)
		}
	}
	return redisError("noting where the audit is", s.rdb.Set(ctx, s.k.auditCursor(), fmt.Sprintf("%d %d", list, from), 0).Err())
}

// auditPlace is where the last sweep left off: the list and the rank in it.
func (s *Service) auditPlace(ctx context.Context) (list int, from int64, err error) {
	text, err := s.rdb.Get(ctx, s.k.auditCursor()).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return 0, 0, redisError("reading where the audit is", err)
	}
	first, rest, _ := strings.Cut(text, " ")
	list, _ = strconv.Atoi(first)
	from, _ = strconv.ParseInt(rest, 10, 64)
	names, _ := s.k.auditLists()
	if list < 0 || list >= len(names) || from < 0 {
		return 0, 0, nil
	}
	return list, from, nil
}

// audited notes the end of an audit. The first one makes the ledger complete.
func (s *Service) audited(ctx context.Context) error {
	now := stamp(s.c.Clock())
	pipe := s.rdb.TxPipeline()
	pipe.Del(ctx, s.k.auditCursor())
	pipe.HSet(ctx, s.k.ledger(), ledgerAudited, now)
	first := pipe.HSetNX(ctx, s.k.ledger(), ledgerSince, now)
	seeded := pipe.HGet(ctx, s.k.ledger(), ledgerSeeded)
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return redisError("noting the end of the audit", err)
	}
	switch {
	case !first.Val():
	case seeded.Val() == "":
		s.c.Log.Info().Msg("the loss ledger begins: each document that is accepted is accounted for from now on")
	default:
		s.c.Log.Info().Str("documents", seeded.Val()).Msg("the loss ledger is complete: the documents from before it have been counted")
	}
	return nil
}

// auditDocuments compares documents with all that tells of them; state is that
// of the index that they were found in, "" for another list.
func (s *Service) auditDocuments(ctx context.Context, state State, entries []redis.Z, swept *Swept) error {
	if len(entries) == 0 {
		return nil
	}
	args := []any{s.k.document(""), s.k.byState(""), string(state), len(States())}
	for _, known := range States() {
		args = append(args, string(known))
	}
	for _, entry := range entries {
		id, _ := entry.Member.(string)
		args = append(args, id, scoreText(entry.Score))
	}
	names := []string{s.k.ledger(), s.k.accepted(), s.k.unaccepted(), s.k.lost(), s.k.all()}
	reply, err := auditScript.Run(ctx, s.rdb, names, args...).Slice()
	if err != nil {
		return redisError("auditing documents", err)
	}
	if len(reply) != 3 {
		return fmt.Errorf("auditing documents: unexpected reply")
	}
	if seeded, _ := reply[0].(int64); seeded > 0 {
		s.c.Log.Info().Int64("documents", seeded).Msg("entered documents into the ledger that a process without one accepted, or that were rebuilt")
	}
	mended := texts(reply[1])
	for i := 0; i+2 < len(mended); i += 3 {
		swept.Foreign++
		s.sayMended(ctx, mended[i], State(mended[i+1]), mended[i+2])
	}
	for _, id := range texts(reply[2]) {
		if _, err := s.recordGone(ctx, id, swept); err != nil {
			return err
		}
	}
	return nil
}

// auditDocument compares one document, with the score that its record has in
// the indexes.
func (s *Service) auditDocument(ctx context.Context, id string) error {
	d, err := s.Record(ctx, id)
	if isNotFound(err) {
		return nil // deleted meanwhile
	}
	if err != nil {
		return err
	}
	return s.auditDocuments(ctx, "", []redis.Z{{Score: score(id, d.CreatedAt), Member: id}}, &Swept{})
}

// auditMended are what the script put right, in words for the log.
var auditMended = map[string]string{
	"index":    "an index lacked the document, which another tool must have taken out: put back",
	"place":    "the document stood in the index of another state, where another tool must have put it: taken out",
	"ledger":   "the ledger lacked the document, which another tool must have taken out: put back",
	"counters": "another tool has removed the counters of the loss ledger: it goes on from what is there",
}

// sayMended logs what another tool had done and makes an event of it.
func (s *Service) sayMended(ctx context.Context, id string, state State, what string) {
	s.c.Log.Warn().Str("document", id).Str("status", string(state)).Msg(auditMended[what])
	if id == "" {
		return
	}
	if err := s.queue.Apply(ctx, nil, nil, event(id, state, state, "foreign_"+what)); err != nil {
		s.c.Log.Warn().Err(err).Str("document", id).Msg("writing the event of a change by another tool")
	}
}

// recordGone settles a document that an index names and that has no record,
// and reports whether no index names it any more: it was deleted or archived
// by a docsvc that keeps no ledger, or another tool has removed its record.
// Then it is lost, and stays so until it is rebuilt or deleted. No transition
// of docsvc's leaves an entry of an index without its record.
func (s *Service) recordGone(ctx context.Context, id string, swept *Swept) (bool, error) {
	deleted, err := s.wasDeleted(ctx, id)
	if err != nil {
		return false, err
	}
	gone, drop := []rq.Condition{{Guard: rq.Guard{Key: s.k.document(id), Not: true}}}, s.dropEntries(id)
	_, err = s.archived(ctx, id)
	switch {
	case deleted:
		return settled(id, s.queue.Apply(ctx, gone, append(drop, s.leave(id, ledgerDeleted)...), nil))
	case err == nil:
		return settled(id, s.queue.Apply(ctx, gone, append(drop, s.leave(id, ledgerArchived)...), nil))
	case !isNotFound(err):
		s.c.Log.Warn().Err(err).Str("document", id).Msg("looking for the archived record of a document that has none in Redis: the next sweep tries again")
		return false, nil
	}
	err = s.queue.Apply(ctx, append(gone, rq.Condition{Guard: rq.Guard{Key: s.k.lost(), Field: id}}),
		append(drop, s.foreign(), rq.ZRem(s.k.unaccepted(), id),
			rq.ZAdd(s.k.lost(), scoreAt(s.c.Clock()), id).When(rq.Guard{Key: s.k.accepted(), Field: id, Not: true})),
		event(id, "", "", "foreign_record_removed"))
	var raced *rq.ConditionError
	if errors.As(err, &raced) && raced.Key == s.k.lost() { // known: an entry of it came back
		return settled(id, s.queue.Apply(ctx, gone, drop, nil))
	}
	if err == nil {
		swept.Foreign++
		s.c.Log.Error().Str("document", id).Msg("the record of this document is gone from Redis, and docsvc didn't remove it: " +
			"make it again with `docsvc documents rebuild --id`, or give it up with `docsvc documents delete`")
	}
	return settled(id, err)
}

// settled reports whether a write was made; one that was refused because the
// record changed meanwhile has its turn again.
func settled(id string, err error) (bool, error) {
	var raced *rq.ConditionError
	if errors.As(err, &raced) {
		return false, nil
	}
	return err == nil, redisError("settling document "+id+", which has no record", err)
}

// dropEntries takes an id out of the indexes that the sweep and readers go by.
func (s *Service) dropEntries(id string) []rq.Effect {
	var drop []rq.Effect
	for _, state := range States() {
		drop = append(drop, rq.ZRem(s.k.byState(state), id))
	}
	return append(drop, rq.ZRem(s.k.all(), id), rq.ZRem(s.k.openUploads(), id), rq.ZRem(s.k.expiredUploads(), id))
}

// giveUpLost counts a lost document as deleted, and has its objects removed.
// It reports whether the document was lost.
func (s *Service) giveUpLost(ctx context.Context, id string) (bool, error) {
	now := s.c.Clock()
	conditions := []rq.Condition{
		{Guard: rq.Guard{Key: s.k.document(id), Not: true}},
		{Guard: rq.Guard{Key: s.k.lost(), Field: id, Not: true}},
	}
	list := append(s.leave(id, ledgerDeleted), s.dropEntries(id)...)
	list = append(list, rq.ZAdd(s.k.deleted(), scoreAt(now.Add(s.c.UploadTTL+afterDelete)), id),
		rq.ZAdd(s.k.removing(), scoreAt(now.Add(removeGrace)), id))
	err := s.queue.Apply(ctx, conditions, list, event(id, "", "", "deleted"))
	var raced *rq.ConditionError
	if errors.As(err, &raced) {
		return false, nil
	}
	return err == nil, redisError("giving up document "+id, err)
}
