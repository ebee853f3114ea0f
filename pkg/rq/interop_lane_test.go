package rq_test

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq"
)

// lane is a Redis and Python processes on it, which tests use in turn: to
// start Python costs more than most tests.
type lane struct {
	server *redistest.Server
	python string
	rdb    *redis.Client
	peer   *peer
	spare  *peer // for while the first one works; nil until asked for
}

func openLane(t *testing.T, python string, e redistest.Engine) *lane {
	server := redistest.Start(t, e)
	return &lane{server: server, python: python, rdb: server.Client(t), peer: startPeer(t, python, server)}
}

// fresh empties the lane's Redis and begins a run on it.
func (l *lane) fresh(t *testing.T, producer, worker side) *interop {
	t.Helper()
	if err := l.rdb.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	l.peer.t = t
	return &interop{
		t: t, lane: l, rdb: l.rdb, peer: l.peer, client: rq.New(l.rdb, rq.Options{Lease: time.Hour}),
		producer: producer, worker: worker, start: time.Now(),
	}
}

// second returns another Python process, for while the first one works.
func (r *interop) second() *peer {
	r.t.Helper()
	if r.lane.spare == nil {
		r.lane.spare = startPeer(r.lane.peer.owner, r.lane.python, r.lane.server)
	}
	r.lane.spare.t = r.t
	return r.lane.spare
}
