package document

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/rq"
)

// lateAnswers is for how long a request that nobody waits for any more may
// still be carried out, by a slow store or something before it: a store
// refuses a signature that is more than 15 minutes old.
const lateAnswers = 16 * time.Minute

// beginCopy notes that a copy of the document's record, RecordExecution or
// ArchivedExecution, is about to be written or removed. late says that this was
// so within lateAnswers: what was asked for then may be carried out after what
// is asked for now, also where it was answered, since the store's client
// repeats a request that was not.
func (s *Service) beginCopy(ctx context.Context, id, execution string) (late bool, err error) {
	at := s.c.Clock()
	now := redis.Z{Score: float64(at.UnixMilli()), Member: copyName(id, execution)}
	until := strconv.FormatInt(at.Add(-lateAnswers).UnixMilli(), 10)
	var first *redis.IntCmd
	_, err = s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.ZRemRangeByScore(ctx, s.k.copying(), "-inf", until)
		first = p.ZAddNX(ctx, s.k.copying(), now) // one command decides between several processes
		return nil
	})
	if err == nil && first.Val() == 0 {
		late, err = true, s.rdb.ZAdd(ctx, s.k.copying(), now).Err()
	}
	return late, redisError("noting that a copy of a record is written", err)
}

func copyName(id, execution string) string { return id + "/" + execution }

// copied takes a document whose copy is written out of those to do. What may
// still be undone is written once more when nothing can come late.
func (s *Service) copied(id string, late bool) []rq.Effect {
	drop := []rq.Effect{rq.ZRem(s.k.unsaved(), id)}
	if late {
		return append(drop, rq.ZAdd(s.k.copyAgain(), float64(s.c.Clock().Add(lateAnswers).UnixMilli()), id))
	}
	return append(drop, rq.ZRem(s.k.copyAgain(), id))
}

// mayArchive notes that the record is about to be moved, unless a short while
// ago it was about to be: an archived document has no other copy.
func (s *Service) mayArchive(ctx context.Context, id string) (bool, error) {
	since := float64(s.c.Clock().Add(-lateAnswers).UnixMilli())
	last, err := s.rdb.ZMScore(ctx, s.k.copying(), copyName(id, ArchivedExecution)).Result()
	if err != nil || last[0] > since {
		return false, redisError("reading which copies were written", err)
	}
	late, err := s.beginCopy(ctx, id, ArchivedExecution)
	return !late, err
}
