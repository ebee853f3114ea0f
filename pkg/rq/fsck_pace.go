package rq

import (
	"context"
	"time"
)

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
