package document

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/rq"
)

// keepUnsaved writes the records to the bucket that it does not have as they
// are.
func (s *Service) keepUnsaved(ctx context.Context, r *round) error {
	if err := s.noteEarlier(ctx); err != nil {
		return err
	}
	for _, index := range []string{s.k.unsaved(), s.k.copyAgain()} {
		err := r.due(ctx, index, func(ctx context.Context, id string) error {
			saved, err := s.save(ctx, id)
			if saved {
				r.done(&r.Saved)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Save stores the copy of a final record that Keep would store before long.
// Errors: Conflict busy (it was deleted or changed at that moment), Unavailable.
func (s *Service) Save(ctx context.Context, id string) error {
	saved, err := s.save(ctx, id)
	var raced *rq.ConditionError
	if errors.As(err, &raced) || err == nil && !saved {
		return busy(id)
	}
	return redisError("saving the record of document "+id, err)
}

// save writes a copy of one record and then takes it out of the unsaved, if
// it still is as it was read. One that is not final is taken out as well: its
// end notes it again, and if its commit is what it says, need not.
func (s *Service) save(ctx context.Context, id string) (saved bool, err error) {
	d, err := s.Record(ctx, id)
	drop := s.copied(id, false)
	if isNotFound(err) {
		return false, s.queue.Apply(ctx, []rq.Condition{{Guard: rq.Guard{Key: s.k.document(id), Not: true}}}, drop, nil)
	}
	if err != nil {
		return false, err
	}
	if !d.Status.Final() {
		return false, s.queue.Apply(ctx, s.asRead(d), drop, nil)
	}
	late, err := s.beginCopy(ctx, id, RecordExecution)
	if err != nil {
		return false, err
	}
	key := manifestKey(id, RecordExecution)
	if err := s.putManifest(ctx, key, copyOf(d)); err != nil {
		return false, err
	}
	err = s.queue.Apply(ctx, s.asRead(d), s.copied(id, late), nil)
	var raced *rq.ConditionError
	if errors.As(err, &raced) {
		s.dropCopy(ctx, id, key)
	}
	if err == nil && !d.restored.IsZero() {
		// Brought back from the archive, which now need not have it any more.
		_, err := s.beginCopy(ctx, id, ArchivedExecution)
		if err == nil {
			err = s.removeKeys(ctx, []string{manifestKey(id, ArchivedExecution)})
		}
		if err != nil {
			s.c.Log.Warn().Err(err).Str("document", id).Msg("removing the archived copy of a record that was brought back")
		}
	}
	return err == nil, err
}

// dropCopy removes a copy that was stored while its document was deleted.
func (s *Service) dropCopy(ctx context.Context, id, key string) {
	gone, err := s.wasDeleted(ctx, id)
	if err == nil && gone {
		err = s.removeKeys(ctx, []string{key})
	}
	if err != nil {
		s.c.Log.Warn().Err(err).Str("document", id).Str("key", key).Msg("removing a copy of a record")
	}
}

// notedField is set in keys.keepCursor when noteEarlier has come to its end.
const notedField = "noted"

// noteEarlier notes, once in the life of a Redis, the final documents of before
// there were copies of records. It goes on where the last round ended.
func (s *Service) noteEarlier(ctx context.Context) error {
	err := s.rdb.HGet(ctx, s.k.keepCursor(), notedField).Err()
	if !errors.Is(err, redis.Nil) {
		return redisError("reading whether earlier documents were noted", err)
	}
	for _, state := range []State{Duplicate, Failed, Canceled} {
		for more := true; more; {
			if more, err = s.notePage(ctx, state); err != nil {
				return redisError("noting earlier documents", err)
			}
		}
	}
	return redisError("noting earlier documents", s.rdb.HSet(ctx, s.k.keepCursor(), notedField, "1").Err())
}

// notePage notes some documents of a state, the youngest first: those that
// leave the index meanwhile then shift only what was looked at.
func (s *Service) notePage(ctx context.Context, state State) (more bool, err error) {
	field := notedField + ":" + string(state)
	left, err := s.rdb.HGet(ctx, s.k.keepCursor(), field).Int64()
	if errors.Is(err, redis.Nil) {
		left, err = s.rdb.ZCard(ctx, s.k.byState(state)).Result()
	}
	if err != nil || left == 0 {
		return false, err
	}
	from := max(0, left-keepBatch)
	ids, err := s.rdb.ZRange(ctx, s.k.byState(state), from, left-1).Result()
	if err != nil {
		return false, err
	}
	noted := make([]redis.Z, len(ids))
	for i, id := range ids {
		noted[i] = redis.Z{Score: float64(s.c.Clock().UnixMilli()), Member: id}
	}
	_, err = s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		if len(noted) > 0 {
			p.ZAddNX(ctx, s.k.unsaved(), noted...)
		}
		p.HSet(ctx, s.k.keepCursor(), field, from)
		return nil
	})
	return from > 0, err
}
