package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/Shopify/toxiproxy/v2"
)

// faults does harm at random moments until ctx ends. What it does, to whom and
// for how long comes from the seed; at which step of the victim it falls does not.
type faults struct {
	x        *run
	d        *draw
	wg       sync.WaitGroup // toxics and cuts that still last
	stops    atomic.Int64
	refusals atomic.Int64 // times that Redis refused writes, forgot scripts, ended connections or paused
	cuts     atomic.Int64 // connections cut or made bad

	lastRedis, lastS3 time.Time
}

// s3Every is the time at least between two kills of S3. Redis and S3 are one
// for all: they are killed less often than the others.
const s3Every = 6 * time.Second

func (f *faults) run(ctx context.Context) {
	f.lastRedis, f.lastS3 = time.Now(), time.Now()
	for ctx.Err() == nil {
		f.one(ctx)
		sleep(ctx, f.d.between(0, 2*f.x.o.every))
	}
	f.wg.Wait()
}

func (f *faults) one(ctx context.Context) {
	x := f.x
	worker, serve := f.older(x.workers[f.d.intn(len(x.workers))], x.workers[f.d.intn(len(x.workers))]), x.serves[f.d.intn(len(x.serves))]
	kind, for_ := f.d.intn(100), f.d.between(50*time.Millisecond, 4*time.Second)
	long := f.d.intn(6) == 0 // longer than a lease
	switch {
	case kind < 40:
		worker.kill()
	case kind < 50:
		serve.kill()
	case kind < 54:
		worker.term()
	case kind < 60:
		f.refuse(ctx, for_/2)
	case kind < 64:
		if time.Since(f.lastRedis) > x.o.redisEvery && x.redis.kill() {
			f.lastRedis = time.Now()
		}
	case kind < 69:
		if time.Since(f.lastS3) > s3Every && x.s3.kill() {
			f.lastS3 = time.Now()
		}
	case kind < 78:
		if long {
			for_ += x.o.lease
		}
		f.stop(worker, for_)
	case kind < 80:
		f.stop(serve, for_)
	case kind < 81:
		f.stop(x.redis, for_/2)
	case kind < 82:
		f.stop(x.s3, for_/2)
	default:
		if long {
			for_ += x.o.lease
		}
		f.network(ctx, for_)
	}
}

// older is the one whose process runs for longer: a process that never gets
// past its start passes few failpoints.
func (f *faults) older(a, b *slot) *slot {
	if b.started().Before(a.started()) {
		return b
	}
	return a
}

func (f *faults) stop(s *slot, d time.Duration) {
	if s.stop(d) {
		f.stops.Add(1)
	}
}

// refuse has Redis answer with errors, or forget its scripts, for a while.
func (f *faults) refuse(ctx context.Context, d time.Duration) {
	rdb := f.x.site.rdb
	short, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	set := func(name, value, normal string) {
		_ = rdb.ConfigSet(short, name, value).Err()
		f.wg.Go(func() {
			sleep(ctx, d)
			f.x.insist(func(ctx context.Context) error { return rdb.ConfigSet(ctx, name, normal).Err() })
		})
	}
	f.refusals.Add(1)
	switch f.d.intn(5) {
	case 0: // as full as it may be
		set("maxmemory", "1", "0")
	case 1: // no replica to write to
		set("min-replicas-to-write", "1", "0")
	case 2:
		_ = rdb.ScriptFlush(short).Err()
	case 3:
		_ = rdb.ClientKillByFilter(short, "TYPE", "normal").Err()
	default:
		_ = rdb.Do(short, "CLIENT", "PAUSE", int64(d/time.Millisecond), "WRITE").Err()
	}
}

// network makes the way of one process, or of the clients, bad for a while.
func (f *faults) network(ctx context.Context, d time.Duration) {
	ways := append(append([]proxies{f.x.site.client}, f.x.site.workers...), f.x.site.serves...)
	way := ways[f.d.intn(len(ways))]
	proxy := way.redis
	if f.d.intn(3) == 0 {
		proxy = way.s3
	}
	f.cuts.Add(1)
	switch f.d.intn(5) {
	case 0:
		f.cut(ctx, proxy, d)
	case 1:
		f.toxic(ctx, proxy, d, "latency", fmt.Sprintf(`"latency":%d,"jitter":50`, 50+f.d.intn(600)), f.stream())
	case 2:
		f.toxic(ctx, proxy, d, "bandwidth", fmt.Sprintf(`"rate":%d`, 2+f.d.intn(60)), f.stream()) // KB/s
	case 3:
		f.toxic(ctx, proxy, d, "reset_peer", `"timeout":0`, f.stream())
	default: // half open: what is sent is swallowed, nobody closes
		f.toxic(ctx, proxy, d, "timeout", `"timeout":0`, f.stream())
	}
}

// stream is the direction that a toxic works in: with downstream the request
// arrives and its answer does not.
func (f *faults) stream() string {
	if f.d.intn(3) == 0 {
		return "upstream"
	}
	return "downstream"
}

// cut closes a way and opens it again.
func (f *faults) cut(ctx context.Context, proxy *toxiproxy.Proxy, d time.Duration) {
	f.wg.Go(func() {
		proxy.Stop()
		sleep(ctx, d)
		for proxy.Start() != nil { // its port may still be busy; that it is open already is an error, too
			if proxy.Enabled {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	})
}

func (f *faults) toxic(ctx context.Context, proxy *toxiproxy.Proxy, d time.Duration, kind, attributes, stream string) {
	text := fmt.Sprintf(`{"type":%q,"stream":%q,"attributes":{%s}}`, kind, stream, attributes)
	t, err := proxy.Toxics.AddToxicJson(strings.NewReader(text))
	if err != nil {
		return // it has one of that kind
	}
	f.wg.Go(func() {
		sleep(ctx, d)
		_ = proxy.Toxics.RemoveToxic(context.Background(), t.Name)
	})
}

// heal ends all harm: ways are open, nothing is stopped, what dies by itself
// from now on is a finding.
func (f *faults) heal() {
	for _, s := range f.x.slots() {
		s.heal()
	}
}
