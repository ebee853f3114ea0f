package rq

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// found is what stands in Redis.
type found struct {
	lists  map[string][]string
	zsets  map[string]map[string]int64
	hashes map[string]map[string]string
	ttl    map[string]bool // key has a time to live
}

// read reads all keys in two round trips.
func (x *machine) read() found {
	ctx := context.Background()
	f := found{map[string][]string{}, map[string]map[string]int64{}, map[string]map[string]string{}, map[string]bool{}}
	names, err := x.rdb.Keys(ctx, "*").Result()
	if err != nil {
		x.t.Fatal(err)
	}
	var after []func()
	_, err = x.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, k := range names {
			ttl := p.PTTL(ctx, k)
			after = append(after, func() { f.ttl[k] = ttl.Val() > 0 })
			switch {
			case strings.HasPrefix(k, "rq:queue:") && !strings.Contains(k, "first_seen"):
				list := p.LRange(ctx, k, 0, -1)
				after = append(after, func() { f.lists[k] = list.Val() })
			case isRegistryKey(k):
				zset := p.ZRangeWithScores(ctx, k, 0, -1)
				after = append(after, func() {
					f.zsets[k] = map[string]int64{}
					for _, z := range zset.Val() {
						f.zsets[k][z.Member.(string)] = int64(z.Score)
					}
				})
			case isHashKey(k):
				hash := p.HGetAll(ctx, k)
				after = append(after, func() { f.hashes[k] = hash.Val() })
			}
		}
		return nil
	})
	if err != nil {
		x.t.Fatal(err)
	}
	for _, read := range after {
		read()
	}
	return f
}

func isRegistryKey(k string) bool {
	for _, prefix := range []string{"rq:wip:", "rq:scheduled:", "rq:deferred:", "rq:failed:", "rq:canceled:", "rq:finished:", "rq:executions:", "docsvc:lease:"} {
		if strings.HasPrefix(k, prefix) {
			return true
		}
	}
	return false
}

func isHashKey(k string) bool {
	if strings.HasPrefix(k, "rq:job:") {
		return !strings.HasSuffix(k, ":dependents") && !strings.HasSuffix(k, ":dependencies")
	}
	return strings.HasPrefix(k, "rq:execution:") || slices.Contains([]string{"docsvc:late", "docsvc:dropped", "docsvc:recovered", "docsvc:model"}, k)
}

// check compares Redis with the model, and its keys with one another.
func (x *machine) check() {
	f, m := x.read(), x.m
	x.same("the jobs made less those deleted", fmt.Sprint(m.made-m.gone), fmt.Sprint(len(m.jobs)))
	statuses, want := map[string]string{}, map[string]string{}
	for k, hash := range f.hashes {
		if id, ok := strings.CutPrefix(k, "rq:job:"); ok {
			statuses[id] = hash["status"]
		}
	}
	for id, j := range m.jobs {
		want[id] = string(j.status)
	}
	x.same("statuses", fmt.Sprint(statuses), fmt.Sprint(want))
	for _, q := range modelQueues {
		x.same("entries of "+q, fmt.Sprint(f.lists[keyQueue(q)]), fmt.Sprint(m.queues[q]))
		x.same("intermediate list of "+q, fmt.Sprint(f.lists[keyIntermediate(q)]), fmt.Sprint(m.between[q]))
		x.same("scheduled on "+q, fmt.Sprint(f.zsets[keyScheduled(q)]), fmt.Sprint(m.scheduled[q]))
		for name, r := range map[string]map[string]int64{keyDeferred(q): m.deferred[q], keyFailed(q): m.failed[q], keyCanceled(q): m.canceled[q], keyFinished(q): m.results[q]} {
			x.same("members of "+name, fmt.Sprint(sorted(f.zsets[name])), fmt.Sprint(sorted(r)))
		}
		x.checkLeases(f, q)
	}
	for name, r := range map[string]map[string]int{"docsvc:late": m.late, "docsvc:dropped": m.dropped, "docsvc:recovered": m.deaths} {
		x.same(name, fmt.Sprint(f.hashes[name]), fmt.Sprint(r))
	}
	ends := f.hashes["docsvc:model"]["ends"]
	x.same("effects of ends", ends, strings.TrimPrefix(fmt.Sprint(m.effects), "0"))
	x.checkExecutions(f)
	x.checkPlaces(f)
	x.checkLives(f)
}

func sorted(m map[string]int64) []string { return slices.Sorted(maps.Keys(m)) }

func (x *machine) same(what, got, want string) {
	if got != want {
		x.t.Fatalf("%s: Redis has %s, the model %s", what, got, want)
	}
}

func (x *machine) checkLeases(f found, q string) {
	leases, holders := map[string]int64{}, map[string]int64{}
	for _, r := range x.m.runs {
		if r.c.Execution.Queue != q {
			continue
		}
		if r.leased {
			leases[r.c.Execution.Member()] = r.lease.UnixMilli()
		}
		if r.holds {
			holders[r.c.Execution.Member()] = 0
		}
	}
	x.same("leases of "+q, fmt.Sprint(f.zsets[x.keyLease(q)]), fmt.Sprint(leases))
	x.same("executions in rq:wip of "+q, fmt.Sprint(sorted(f.zsets[keyWIP(q)])), fmt.Sprint(sorted(holders)))
}

// checkExecutions compares rq:wip with what each job says of its executions,
// both ways. Of one that another tool took out of rq:wip traces stay until
// somebody looks, or they expire.
func (x *machine) checkExecutions(f found) {
	for _, r := range x.m.runs {
		e := r.c.Execution
		hash, listed := f.hashes[keyExecution(e.JobID, e.ID)], f.zsets[keyExecutions(e.JobID)]
		_, in := listed[e.ID]
		if in != r.traced || (len(hash) > 0) != r.traced || (r.holds && !r.traced) {
			x.t.Fatalf("execution %s (holds its job: %v, has a lease: %v, traces: %v) has the hash %v and stands in %v", e.Member(), r.holds, r.leased, r.traced, hash, listed)
		}
	}
	for k := range f.hashes {
		if rest, ok := strings.CutPrefix(k, "rq:execution:"); ok && !slices.ContainsFunc(x.m.runs, func(r *modelRun) bool { return r.c.Execution.Member() == rest }) {
			x.t.Fatalf("%s is of no execution", k)
		}
	}
}

// checkPlaces: what no other tool touched is where its status says, and
// nowhere else. A job that repeats stands among the finished ones, too.
func (x *machine) checkPlaces(f found) {
	for id, j := range x.m.jobs {
		if x.m.foreign[id] {
			continue
		}
		places := map[string]int{}
		for _, q := range modelQueues {
			for place, set := range map[string]map[string]int64{"scheduled": f.zsets[keyScheduled(q)], "deferred": f.zsets[keyDeferred(q)],
				"failed": f.zsets[keyFailed(q)], "canceled": f.zsets[keyCanceled(q)], "finished": f.zsets[keyFinished(q)]} {
				if _, in := set[id]; in {
					places[place]++
				}
			}
			for _, entry := range append(slices.Clone(f.lists[keyQueue(q)]), f.lists[keyIntermediate(q)]...) {
				if entry == id {
					places["queued"]++
				}
			}
			for member := range f.zsets[keyWIP(q)] {
				if strings.HasPrefix(member, id+":") {
					places["started"]++
				}
			}
		}
		place := string(j.status)
		if j.status == StatusStopped {
			place = "failed"
		}
		if j.status != StatusFinished {
			delete(places, "finished")
		}
		if len(places) != 1 || places[place] != 1 {
			x.t.Fatalf("job %s is %s and stands in %v", id, j.status, places)
		}
	}
}

// checkLives: what is to go by itself has a time to live, what runs or waits
// has none.
func (x *machine) checkLives(f found) {
	for k, lives := range f.ttl {
		want := lives
		id, isJob := strings.CutPrefix(k, "rq:job:")
		j := x.m.jobs[id]
		switch {
		case isJob && j != nil:
			switch j.status {
			case StatusFinished, StatusFailed, StatusStopped:
				want = true
			case StatusStarted, StatusDeferred:
				want = false
			}
		case strings.HasPrefix(k, "rq:execution"), strings.HasPrefix(k, "rq:worker:"), strings.HasPrefix(k, "docsvc:worker:"),
			strings.HasPrefix(k, "rq:scheduler"), strings.Contains(k, ":first_seen:"):
			want = true
		case strings.HasPrefix(k, "docsvc:scratch:"), strings.HasPrefix(k, "rq:clean_registries:"):
			x.t.Fatalf("%s was left over", k)
		}
		if lives != want {
			x.t.Fatalf("%s has a time to live: %v, want %v", k, lives, want)
		}
	}
}
