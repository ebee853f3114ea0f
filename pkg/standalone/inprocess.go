package standalone

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
)

const (
	// TTLs move on in steps of ttlStep. Each step sorts all keys under the
	// engine's one lock (some 15 ms for 10,000 keys), so that with many keys
	// the steps get longer: at most a fiftieth of the time is spent on them.
	ttlStep  = time.Second
	ttlShare = 50

	// Snapshots are written every snapshotEvery when something changed, less
	// often when one takes long: at most a twentieth of the time.
	snapshotEvery = 3 * time.Second
	snapshotShare = 20

	// A command is seen before it is executed; a change is only taken to be in
	// a snapshot that was begun this much later.
	changeSlack = time.Second

	// manyKeys is what the in-process engine is made for.
	manyKeys = 10_000

	internalUser = "docsvc-standalone"
)

// inProcess is miniredis with passwords, a clock and snapshots.
type inProcess struct {
	mini   *miniredis.Miniredis
	shim   *shim
	client *redis.Client // of the engine itself
	dir    string
	log    zerolog.Logger
	clock  func() time.Time
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu        sync.Mutex
	begun     time.Time // when the last snapshot on disk was begun
	saveErr   error     // of the last attempt
	warnedBig bool
}

// startMiniredis loads the last snapshot and serves it on a port.
func startMiniredis(ctx context.Context, d *dataDir, port int, password string, o Options) (redisEngine, error) {
	dir := d.redisDir()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, unusable(d.path, err)
	}
	var ks *keyspace
	if !d.isNew() {
		var err error
		if ks, err = readSnapshot(dir); err != nil {
			return nil, err
		}
	}
	e := &inProcess{mini: miniredis.NewMiniRedis(), dir: dir, log: o.Log.With().Str("part", "redis").Logger(), clock: o.Clock}
	if err := e.listen(port, password); err != nil {
		return nil, err
	}
	if err := e.load(ctx, ks); err != nil {
		e.close()
		return nil, err
	}
	background, cancel := context.WithCancel(context.Background())
	e.cancel = cancel
	e.wg.Go(func() { e.moveTime(background) })
	e.wg.Go(func() { e.keepSnapshots(background) })
	e.shim.admit()
	return e, nil
}

func (e *inProcess) listen(port int, password string) error {
	secret := randomHex(32)
	e.mini.RequireAuth(password)
	e.mini.RequireUserAuth(internalUser, secret)
	e.shim = &shim{mini: e.mini, password: password, internal: internalUser, secret: secret, port: port, clock: e.clock,
		started: e.clock(), saved: e.saved, peers: map[*server.Peer]*peer{}}
	// Nobody comes in before the shim is there; miniredis takes a hook only
	// when it runs, but an answer for everybody before.
	e.mini.SetError(msgLoading)
	if err := e.mini.StartAddr(net.JoinHostPort(host, strconv.Itoa(port))); err != nil {
		return fmt.Errorf("starting the in-process Redis: %w", err)
	}
	e.mini.Server().SetPreHook(e.shim.hook)
	e.client = redis.NewClient(&redis.Options{
		Addr: e.mini.Addr(), Username: internalUser, Password: secret, Protocol: 2, DisableIdentity: true,
		ReadTimeout: -1, WriteTimeout: -1, PoolSize: 1,
	})
	return nil
}

// load fills the empty engine, and writes the first snapshot of a new data
// directory, so that a missing one later means that something is wrong.
func (e *inProcess) load(ctx context.Context, ks *keyspace) error {
	if ks == nil {
		return e.save(ctx)
	}
	if err := ks.restore(ctx, e.client); err != nil {
		return err
	}
	e.begun = e.clock()
	e.log.Info().Int("keys", ks.keys).Time("taken", ks.taken).Msg("loaded the Redis snapshot")
	return nil
}

// save writes a snapshot.
func (e *inProcess) save(ctx context.Context) error {
	begun := e.clock()
	ks, err := capture(ctx, e.client, begun)
	if err == nil {
		err = ks.write(e.dir)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.saveErr = err
	if err != nil {
		return err
	}
	e.begun = begun
	if ks.keys > manyKeys && !e.warnedBig {
		e.warnedBig = true
		e.log.Warn().Int("keys", ks.keys).Msg("the in-process Redis holds more than it is made for; install redis-server and begin a new data directory")
	}
	return nil
}

// saved returns when the last snapshot was begun and whether the last attempt
// succeeded.
func (e *inProcess) saved() (time.Time, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.begun, e.saveErr == nil
}

// unsaved reports whether something may have changed since the last snapshot.
func (e *inProcess) unsaved() bool {
	at, ok := e.saved()
	return !ok || e.shim.changedAt().After(at.Add(-changeSlack))
}

func (e *inProcess) keepSnapshots(ctx context.Context) {
	timer := time.NewTimer(snapshotEvery)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		begun := time.Now()
		if e.unsaved() {
			if err := e.save(ctx); err != nil && ctx.Err() == nil {
				e.log.Error().Err(err).Msg("no Redis snapshot could be written; what changes now is lost in a crash")
			}
		}
		timer.Reset(max(snapshotEvery, snapshotShare*time.Since(begun)))
	}
}

// moveTime lets TTLs run with the wall clock, also through a suspend.
// (miniredis's own ClockTTL does it on every command, which takes
// milliseconds each from 10,000 keys on.)
func (e *inProcess) moveTime(ctx context.Context) {
	timer := time.NewTimer(ttlStep)
	defer timer.Stop()
	last := e.clock().Round(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		now := e.clock().Round(0)
		begun := time.Now()
		if passed := now.Sub(last); passed > 0 {
			e.mini.FastForward(passed)
		}
		last = now
		timer.Reset(max(ttlStep, ttlShare*time.Since(begun)))
	}
}

func (e *inProcess) note() string {
	return fmt.Sprintf("Redis runs inside docsvc (no redis-server was found): made for trying docsvc out, up to about %d live entries. "+
		"A crash loses what came after the last snapshot, which is written every few seconds; install redis-server to keep everything.", manyKeys)
}

// lost never gives anything: the engine lives as long as the process.
func (e *inProcess) lost() <-chan error { return nil }

func (e *inProcess) stop(ctx context.Context) error {
	e.cancel()
	e.wg.Wait()
	var err error
	if e.unsaved() {
		if err = e.save(ctx); err != nil {
			err = fmt.Errorf("writing the last Redis snapshot to %s: %w", filepath.Join(e.dir, snapshotName), err)
		}
	}
	e.close()
	return err
}

func (e *inProcess) close() {
	_ = e.client.Close()
	e.mini.Close()
}
