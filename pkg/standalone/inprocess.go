package standalone

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
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
	// engine's one lock (2 ms for 10,000 keys on an idle machine), so that with many keys
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

	loaderUser = "docsvc-loader" // may come in while the snapshot is being loaded
)

// inProcess is miniredis with passwords, a clock and snapshots.
type inProcess struct {
	mini   *miniredis.Miniredis
	shim   *shim
	memory *memory
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
	e := &inProcess{mini: miniredis.NewMiniRedis(), dir: d.redisDir(), log: o.Log.With().Str("part", "redis").Logger(), clock: o.Clock}
	ks, err := e.lastSnapshot(d)
	if err != nil {
		return nil, err
	}
	if e.memory, err = readMemory(e.mini); err != nil {
		return nil, err
	}
	secret := randomHex(32)
	if err := e.listen(port, password, secret); err != nil {
		return nil, err
	}
	if err := e.load(ctx, ks, secret); err != nil {
		e.mini.Close()
		return nil, err
	}
	background, cancel := context.WithCancel(context.Background())
	e.cancel = cancel
	e.wg.Go(func() { e.moveTime(background) })
	e.wg.Go(func() { e.keepSnapshots(background) })
	e.shim.admit()
	return e, nil
}

// lastSnapshot returns what to begin with: nil for a new data directory, or
// when the whole directory of Redis was taken away, which is how a person says
// that it shall begin empty.
func (e *inProcess) lastSnapshot(d *dataDir) (*keyspace, error) {
	err := os.Mkdir(e.dir, 0o700)
	switch {
	case err == nil && !d.isNew():
		e.log.Warn().Str("dir", e.dir).Msg("there is no directory of Redis any more: beginning with an empty queue and no document records")
		return nil, nil
	case err != nil && !errors.Is(err, fs.ErrExist):
		return nil, unusable(d.path, err)
	case d.isNew():
		return nil, nil
	}
	return readSnapshot(e.dir)
}

func (e *inProcess) listen(port int, password, secret string) error {
	e.mini.RequireAuth(password)
	e.mini.RequireUserAuth(loaderUser, secret)
	e.shim = &shim{mini: e.mini, password: password, loader: loaderUser, secret: secret, port: port, clock: e.clock,
		started: e.clock(), saved: e.saved, peers: map[*server.Peer]*peer{}}
	// Nobody comes in before the shim is there; miniredis takes a hook only
	// when it runs, but an answer for everybody before.
	e.mini.SetError(msgLoading)
	if err := e.mini.StartAddr(net.JoinHostPort(host, strconv.Itoa(port))); err != nil {
		return fmt.Errorf("starting the in-process Redis: %w", err)
	}
	e.mini.Server().SetPreHook(e.shim.hook)
	return nil
}

// load fills the empty engine, and writes the first snapshot of a new data
// directory, so that a missing one later means that something is wrong.
func (e *inProcess) load(ctx context.Context, ks *keyspace, secret string) error {
	defer e.mini.RequireUserAuth(loaderUser, "") // takes the user away
	if ks == nil {
		return e.save()
	}
	rdb := redis.NewClient(&redis.Options{
		Addr: e.mini.Addr(), Username: loaderUser, Password: secret, Protocol: 2, DisableIdentity: true, PoolSize: 1,
		ReadTimeout: -1, WriteTimeout: -1,
	})
	err := ks.restore(ctx, rdb)
	_ = rdb.Close()
	if err != nil {
		return err
	}
	e.begun = e.clock()
	e.log.Info().Int("keys", ks.keys).Time("taken", ks.taken).Msg("loaded the Redis snapshot")
	return nil
}

// save writes a snapshot.
func (e *inProcess) save() error {
	begun := e.clock()
	ks, err := e.memory.capture(begun)
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
			if err := e.save(); err != nil {
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
	return fmt.Sprintf("Redis runs inside docsvc: made for trying docsvc out, up to about %d live entries. "+
		"A crash loses what came after the last snapshot, which is written every few seconds.", manyKeys)
}

// lost never gives anything: the engine lives as long as the process.
func (e *inProcess) lost() <-chan error { return nil }

// stop ends all connections first: what was acknowledged is then in memory, and
// nothing more comes.
func (e *inProcess) stop(context.Context) error {
	e.cancel()
	e.wg.Wait()
	e.mini.Close()
	if !e.unsaved() {
		return nil
	}
	if err := e.save(); err != nil {
		return fmt.Errorf("writing the last Redis snapshot to %s: %w", filepath.Join(e.dir, snapshotName), err)
	}
	return nil
}
