package rq

import (
	"context"
	"hash/maphash"
	"strings"
)

// holdJob asks the sieve whether a job stands in any list.
func holdJob(id string) string { return "q\x00" + id }

// holdEntry asks whether a job stands in this list.
func holdEntry(key, id string) string { return "l\x00" + key + "\x00" + id }

// holdExecution asks whether a job is in any rq:wip.
func holdExecution(jobID string) string { return "w\x00" + jobID }

// hold puts what stands in all lists and rq:wip into a new sieve, and gives it
// to each when that is set. Lists are walked from their end by negative
// indexes, so that workers that take from the head and producers that push to
// the end meanwhile hide nothing; an entry taken out of the middle may hide
// another one.
func (f *fsck) hold(ctx context.Context, each func(context.Context, []unit) error) error {
	var total int64
	for key := range f.lists {
		n, err := f.c.rdb.LLen(ctx, key).Result()
		if passType(err) != nil {
			return err
		}
		total += n
	}
	f.held = newSieve(2*total + 1<<16)
	for key := range f.wips {
		if err := f.holdWIP(ctx, key); err != nil {
			return err
		}
	}
	for key, q := range f.lists {
		if err := f.holdList(ctx, key, q, each); err != nil {
			return err
		}
	}
	return nil
}

func (f *fsck) holdWIP(ctx context.Context, key string) error {
	return f.zscan(ctx, key, func(pairs []string) error {
		for i := 0; i < len(pairs); i += 2 {
			id, _, _ := strings.Cut(pairs[i], ":")
			f.held.add(holdExecution(id))
		}
		return nil
	})
}

func (f *fsck) holdList(ctx context.Context, key, q string, each func(context.Context, []unit) error) error {
	kind := unitEntry
	if key == keyIntermediate(q) && !f.listed[key] {
		kind = unitIntermediate
	}
	for last := int64(-1); ; last -= fsckPage {
		answered, err := f.pace.spend(ctx, fsckPage/10)
		if err != nil {
			return err
		}
		ids, err := f.c.rdb.LRange(ctx, key, last-fsckPage+1, last).Result()
		answered()
		if err != nil {
			return passType(err)
		}
		var units []unit
		for _, id := range ids {
			f.held.add(holdJob(id))
			f.held.add(holdEntry(key, id))
			if q != "" && f.wants(q) {
				units = append(units, unit{kind: kind, key: key, member: id, queue: q})
			}
		}
		if each != nil {
			f.report.Entries += int64(len(units))
			if err := each(ctx, units); err != nil {
				return err
			}
		}
		if len(ids) < fsckPage {
			return nil
		}
	}
}

// sieve tells which texts were put into it, in bounded memory: a Bloom filter.
// "No" is certain. "Yes" is wrong for about one of a million texts as long as
// it holds no more than it was made for; a damage that is missed so is seen by
// the next run, whose seed is another.
type sieve struct {
	bits []uint64
	seed maphash.Seed
}

const (
	sievePerText = 32        // bits
	sieveProbes  = 15        // per text
	sieveMax     = 512 << 20 // bits: 64 MiB, enough for 16 million texts
)

func newSieve(texts int64) *sieve {
	n := min(max(texts, 1024)*sievePerText, sieveMax)
	return &sieve{bits: make([]uint64, n/64+1), seed: maphash.MakeSeed()}
}

// each calls f with the places of a text until it answers false.
func (s *sieve) each(text string, f func(word int, bit uint64) bool) {
	h := maphash.String(s.seed, text)
	step := h>>33 | 1
	n := uint64(len(s.bits)) * 64
	for range sieveProbes {
		at := h % n
		if !f(int(at/64), 1<<(at%64)) {
			return
		}
		h += step
		h ^= h >> 29
		h *= 0xbf58476d1ce4e5b9
	}
}

func (s *sieve) add(text string) {
	s.each(text, func(word int, bit uint64) bool {
		s.bits[word] |= bit
		return true
	})
}

func (s *sieve) has(text string) bool {
	found := true
	s.each(text, func(word int, bit uint64) bool {
		found = s.bits[word]&bit != 0
		return found
	})
	return found
}
