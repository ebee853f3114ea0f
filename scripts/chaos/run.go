package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// options of a run.
type options struct {
	seed          uint64
	kills         int           // ends the harm after so many
	limit         time.Duration // ends it after so long at the latest
	documents     int
	noops         int
	workers       int
	serves        int
	concurrency   int
	every         time.Duration // mean time between two faults
	redisEvery    time.Duration // at least between two kills of Redis
	lease         time.Duration
	fsync         string // Redis's appendfsync
	recoveryLimit int
	deadly        int    // jobs that kill their worker each time
	calm          bool   // no faults but those jobs
	power         bool   // a killed Redis loses what it had not synced, as in a power failure
	docsvc        string // binary to use; empty: it is built
	keep          bool   // leave the directory
}

// run is one chaos run.
type run struct {
	o       options
	site    *site
	plan    *plan
	points  *points
	deaths  *deaths
	faults  *faults
	events  *events
	ledger  *ledger
	power   *power
	redis   *slot
	s3      *slot
	serves  []*slot
	workers []*slot
	began   time.Time
}

func (x *run) slots() []*slot {
	return append(append([]*slot{x.redis, x.s3}, x.serves...), x.workers...)
}

func newRun(o options) (*run, error) {
	s, err := newSite(o)
	if err != nil {
		return nil, err
	}
	x := &run{o: o, site: s, plan: newPlan(o.seed, o.documents, o.noops, o.deadly), points: newPoints(s.dir, o.calm), deaths: &deaths{}, ledger: &ledger{},
		events: newEvents(s.rdb), began: time.Now()}
	x.power = newPower(s.dir, o.power)
	x.faults = &faults{x: x, d: newDraw(o.seed, "faults")}
	x.makeSlots()
	return x, nil
}

// close removes what the run left on disk.
func (x *run) close() {
	_ = x.site.rdb.Close()
	if !x.o.keep {
		_ = os.RemoveAll(x.site.dir)
	}
}

// all does the whole run: start, harm under load, heal, settle, verify.
func (x *run) all(ctx context.Context) (out *outcome, err error) {
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	// Engines live longer than workers and servers, which need them to leave.
	enginesOn, stopEngines := context.WithCancel(context.WithoutCancel(ctx))
	serversOn, stopServers := context.WithCancel(ctx)
	var engines, servers, follower sync.WaitGroup
	launch := func(on context.Context, wg *sync.WaitGroup, slots ...*slot) {
		for _, s := range slots {
			wg.Go(func() {
				if err := s.run(on); err != nil {
					giveUp(err)
				}
			})
		}
	}
	defer func() {
		stopServers()
		servers.Wait()
		stopEngines()
		engines.Wait()
		follower.Wait()
	}()
	launch(enginesOn, &engines, x.redis, x.s3)
	launch(serversOn, &servers, x.serves...)
	if err := x.site.ready(ctx); err != nil {
		return nil, err
	}
	launch(serversOn, &servers, x.workers...)
	follower.Go(func() { x.events.follow(enginesOn) })

	if err := x.harm(ctx); err != nil {
		return nil, err
	}
	x.say("healed: %d kills; waiting for everything to end", x.deaths.kills())
	settleErr := x.settle(ctx)
	out = &outcome{x: x}
	if err := x.rebuild(ctx, out); err != nil {
		return nil, err
	}
	// Keep saves records every 10 s; what it has left is done by the next one.
	x.untilSaved(ctx)
	// A worker that was stopped may only now find out that its job was taken:
	// nothing is looked at before all have left.
	stopServers()
	servers.Wait()
	if err := x.cleanUp(ctx); err != nil {
		return nil, err
	}
	if out.ledger, err = x.verifyLedger(ctx, &out.findings); err != nil {
		return nil, err
	}
	return out, errors.Join(settleErr, out.collect(ctx))
}

// harm does faults while clients and producers work, until there were enough
// of both.
func (x *run) harm(ctx context.Context) error {
	harming, enough := context.WithCancel(ctx)
	defer enough()
	clients, err := x.newClients()
	if err != nil {
		return err
	}
	producer := x.newProducer()
	defer func() { _ = producer.rdb.Close() }()
	var work, harm sync.WaitGroup
	if !x.o.calm {
		ill := filepath.Join(x.site.dir, "ill") // the S3 server looks for it
		if err := os.WriteFile(ill, nil, 0o600); err != nil {
			return fmt.Errorf("making storage ill: %w", err)
		}
		defer func() { _ = os.Remove(ill) }()
		harm.Go(func() { x.faults.run(harming) })
	}
	harm.Go(func() { x.power.watch(harming) })
	documents, noops := make(chan *sample), make(chan noop)
	for range 12 {
		work.Go(func() {
			for s := range documents {
				clients.submit(ctx, s)
			}
		})
	}
	for range 4 {
		work.Go(func() {
			for n := range noops {
				producer.enqueue(ctx, n)
			}
		})
	}
	harm.Go(func() { feed(harming, x, x.plan.documents, documents) })
	harm.Go(func() { feed(harming, x, x.plan.noops, noops) })
	x.untilEnough(ctx)
	enough()
	x.faults.heal()
	harm.Wait()
	work.Wait() // what was begun is answered
	return context.Cause(ctx)
}

// insist repeats f until it succeeds, for as long as a killed Redis may need.
func (x *run) insist(f func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for ctx.Err() == nil && f(ctx) != nil {
		sleep(ctx, 50*time.Millisecond)
	}
}

// feed gives items out in step with the harm, so that both end together.
func feed[T any](ctx context.Context, x *run, items []T, out chan<- T) {
	defer close(out)
	for i, item := range items {
		for float64(i) > x.progress()*float64(len(items))+30 {
			if sleep(ctx, 50*time.Millisecond); ctx.Err() != nil {
				return
			}
		}
		select {
		case out <- item:
		case <-ctx.Done():
			return
		}
	}
}

// progress is how much of the harm is done, 0 to 1.
func (x *run) progress() float64 {
	p := time.Since(x.began).Seconds() / x.o.limit.Seconds()
	if x.o.kills > 0 {
		p = max(p, float64(x.deaths.kills())/float64(x.o.kills))
	}
	return min(p, 1)
}

func (x *run) untilEnough(ctx context.Context) {
	said := time.Now()
	for x.progress() < 1 && ctx.Err() == nil {
		sleep(ctx, 100*time.Millisecond)
		if time.Since(said) > 30*time.Second {
			said = time.Now()
			documents, jobs := x.ledger.counts()
			x.say("%d kills, %d stops, %d cuts; %d documents and %d jobs acknowledged", x.deaths.kills(),
				x.faults.stops.Load(), x.faults.cuts.Load(), documents, jobs)
		}
	}
}

// untilSaved waits until the records of ended documents are in the bucket.
func (x *run) untilSaved(ctx context.Context) {
	for deadline := time.Now().Add(hopeless); time.Now().Before(deadline); sleep(ctx, 500*time.Millisecond) {
		if n, err := x.site.rdb.ZCard(ctx, "docsvc:docs:unsaved").Result(); err == nil && n == 0 {
			return
		}
	}
}

func (x *run) say(format string, args ...any) {
	fmt.Printf("%6.0fs  %s\n", time.Since(x.began).Seconds(), fmt.Sprintf(format, args...))
}

func (x *run) history() string { return filepath.Join(x.site.dir, "history.jsonl") }
