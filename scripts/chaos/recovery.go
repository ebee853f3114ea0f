package main

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// deaths are the ends of all processes.
type deaths struct {
	mu  sync.Mutex
	all []death
}

func (d *deaths) add(x death) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = append(d.all, x)
}

func (d *deaths) list() []death {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.all)
}

// killed says whether a process was ended with SIGKILL.
func (d death) killed() bool {
	return d.cause == "kill" || d.cause == "failpoint" || d.cause == "deadly job"
}

// kills counts the processes that were ended with SIGKILL.
func (d *deaths) kills() int {
	n := 0
	for _, x := range d.list() {
		if x.killed() {
			n++
		}
	}
	return n
}

// recoveries are the times from a worker's death to the moments at which each
// of the jobs it held was back in its queue, and was claimed again. Jobs that
// were canceled or deleted meanwhile are left out.
func recoveries(dead []death, jobs map[string][]event) (back, claimed []time.Duration) {
	ends := map[string][]time.Time{}
	for _, d := range dead {
		if d.role == roleWorker && d.killed() {
			ends[d.name] = append(ends[d.name], d.at)
		}
	}
	for _, list := range jobs {
		for i, e := range list {
			if e.reason != "claimed" || i+1 == len(list) {
				continue
			}
			death, ok := firstAfter(ends[process(e.worker)], e.at)
			if !ok || death.After(list[i+1].at) {
				continue // it ended, or was taken from a worker that was stopped or cut off
			}
			if again := nextClaim(list[i+1:]); !again.IsZero() {
				back, claimed = append(back, list[i+1].at.Sub(death)), append(claimed, again.Sub(death))
			}
		}
	}
	slices.Sort(back)
	slices.Sort(claimed)
	return back, claimed
}

// process is the name of the process that a worker slot belongs to.
func process(worker string) string {
	name, _, _ := strings.Cut(worker, ".")
	return name
}

func firstAfter(times []time.Time, t time.Time) (time.Time, bool) {
	for _, x := range times {
		if x.After(t) {
			return x, true
		}
	}
	return time.Time{}, false
}

// nextClaim is when a job was claimed again that was taken from its worker;
// zero when something else became of it.
func nextClaim(list []event) time.Time {
	for i, e := range list {
		switch {
		case i == 0 && e.reason != "recovered" && e.reason != "abandoned":
			return time.Time{}
		case e.reason == "claimed":
			return e.at
		case e.to == "failed" || e.to == "canceled" || e.reason == "deleted":
			return time.Time{}
		}
	}
	return time.Time{}
}

// quantile of sorted times; 0 of none.
func quantile(times []time.Duration, q float64) time.Duration {
	if len(times) == 0 {
		return 0
	}
	return times[min(int(q*float64(len(times))), len(times)-1)]
}
