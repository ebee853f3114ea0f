package rq

import (
	"context"
	"hash/maphash"
	"time"
)

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

// pacer keeps fsck below so many commands a second, and below half of the
// server's time: after each round trip it rests at least as long as that took.
type pacer struct {
	rate int
	free time.Time // when the next commands may be sent
}

// spend waits until n commands may be sent, and answers what is to be called
// when they were answered.
func (p *pacer) spend(ctx context.Context, n int) (answered func(), err error) {
	if wait := time.Until(p.free); wait > 0 {
		pause(ctx, wait)
	}
	began := time.Now()
	return func() {
		took := time.Since(began)
		p.free = began.Add(max(2*took, time.Duration(n)*time.Second/time.Duration(p.rate)))
	}, ctx.Err()
}
