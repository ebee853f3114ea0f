package document

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/rq"
)

const (
	// keepEvery keeps several workers from keeping at the same time.
	keepEvery = 9 * time.Second
	// keepTime is how long one round of Keep may take: less than keepEvery.
	keepTime = 8 * time.Second
	// keepParallel is how many documents are worked on at a time.
	keepParallel = 8
	// keepBatch is how many ids are read in one round trip.
	keepBatch = 500
	// keepLater is when Keep looks again at what it could not do.
	keepLater = time.Minute
)

// Kept counts what a round of Keep did.
type Kept struct {
	Saved     int // records written to the bucket
	Removed   int // deleted documents whose objects were removed
	Forgotten int // deleted documents that need not be remembered any more
	Archived  int // records moved out of Redis
	Failed    int // documents that could not be done; they are tried again
}

// Keep brings what bucket and Redis have to hold together: it removes the
// objects of deleted documents, writes the records of final documents to the
// bucket, so that Rebuild finds them there, and moves those out of Redis that
// are older than Config.Retention. A round is bounded in time, may be ended
// anywhere, and does nothing when another process began one within the last
// seconds. Run it every 10 s.
func (s *Service) Keep(ctx context.Context) (Kept, error) {
	won, err := s.rdb.SetNX(ctx, s.k.keepLock(), uuid.NewString(), keepEvery).Result()
	if err != nil || !won {
		return Kept{}, redisError("taking the lock of keeping", err)
	}
	kept, err := s.keep(ctx)
	if kept.Archived+kept.Removed+kept.Failed > 0 {
		s.c.Log.Info().Int("saved", kept.Saved).Int("archived", kept.Archived).Int("removed", kept.Removed).Int("failed", kept.Failed).
			Msg("kept records and bucket together")
	}
	return kept, err
}

// keep is one round. Each part has its share of the time left, so that none
// keeps the others from their work.
func (s *Service) keep(ctx context.Context) (Kept, error) {
	r := &round{s: s, until: time.Now().Add(keepTime)}
	parts := []func(context.Context, *round) error{s.keepRemoving, s.keepDeleted, s.keepUnsaved, s.keepArchiving}
	var failed error
	for i, part := range parts {
		share := time.Until(r.until) / time.Duration(len(parts)-i)
		partCtx, cancel := context.WithTimeout(ctx, share)
		err := part(partCtx, r)
		over := partCtx.Err() != nil
		cancel()
		if err != nil && !over {
			failed = errors.Join(failed, err)
		}
		if ctx.Err() != nil {
			return r.Kept, ctx.Err()
		}
	}
	return r.Kept, failed
}

// round is one round of Keep.
type round struct {
	s     *Service
	until time.Time

	mu sync.Mutex
	Kept
}

// done counts one document.
func (r *round) done(counter *int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*counter++
}

// each calls do with ids, several at a time. What can't be done is put off
// in the index, when there is one, and logged; an outage ends the part.
func (r *round) each(ctx context.Context, index string, ids []string, do func(ctx context.Context, id string) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	work := make(chan string)
	var workers sync.WaitGroup
	for range min(keepParallel, len(ids)) {
		workers.Go(func() {
			for id := range work {
				if err := do(ctx, id); err != nil && ctx.Err() == nil {
					if err = r.failed(ctx, index, id, err); err != nil {
						stop(err)
					}
				}
			}
		})
	}
	for _, id := range ids {
		select {
		case work <- id:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(work)
	workers.Wait()
	return context.Cause(ctx)
}

// failed decides what an error of one document means: nil when the others can
// be gone on with.
func (r *round) failed(ctx context.Context, index, id string, err error) error {
	var raced *rq.ConditionError
	if errors.As(err, &raced) {
		return nil // changed meanwhile: its turn comes again
	}
	var e *Error
	if rq.IsUnavailable(err) || errors.As(err, &e) && e.Kind == Unavailable {
		return err
	}
	r.done(&r.Failed)
	r.s.c.Log.Warn().Err(err).Str("document", id).Msg("keeping a document: it is tried again")
	if index == "" {
		return nil
	}
	later := float64(r.s.c.Clock().Add(keepLater).UnixMilli())
	return redisError("putting a document off", r.s.rdb.ZAddXX(ctx, index, redis.Z{Score: later, Member: id}).Err())
}

// due calls do with the members of an index whose time has come, until there
// are none or ctx ends. do takes them out or gives them another time.
func (r *round) due(ctx context.Context, index string, do func(ctx context.Context, id string) error) error {
	for {
		now := strconv.FormatInt(r.s.c.Clock().UnixMilli(), 10)
		ids, err := r.s.rdb.ZRangeByScore(ctx, index, &redis.ZRangeBy{Min: "-inf", Max: now, Count: keepBatch}).Result()
		if err != nil || len(ids) == 0 {
			return redisError("listing what is to be kept", err)
		}
		if err := r.each(ctx, index, ids, do); err != nil {
			return err
		}
		if len(ids) < keepBatch {
			return nil
		}
	}
}

// keepRemoving removes objects of deleted documents that Delete could not.
func (s *Service) keepRemoving(ctx context.Context, r *round) error {
	return r.due(ctx, s.k.removing(), func(ctx context.Context, id string) error {
		err := s.removeDeleted(ctx, id)
		if err == nil {
			r.done(&r.Removed)
		}
		return err
	})
}

// keepDeleted looks once more for objects of documents that were deleted a
// while ago, and forgets those that have none.
func (s *Service) keepDeleted(ctx context.Context, r *round) error {
	return r.due(ctx, s.k.deleted(), func(ctx context.Context, id string) error {
		n, err := s.removeObjects(ctx, id)
		if err != nil {
			return err
		}
		if n > 0 {
			r.done(&r.Removed)
			later := float64(s.c.Clock().Add(afterDelete).UnixMilli())
			return redisError("remembering a deleted document", s.rdb.ZAddXX(ctx, s.k.deleted(), redis.Z{Score: later, Member: id}).Err())
		}
		r.done(&r.Forgotten)
		return redisError("forgetting a deleted document", s.rdb.ZRem(ctx, s.k.deleted(), id).Err())
	})
}
