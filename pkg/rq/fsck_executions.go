package rq

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

func splitMember(member string) (job, execution string, ok bool) {
	job, execution, ok = strings.Cut(member, ":")
	return job, execution, ok && jobID.MatchString(job) && !strings.Contains(execution, ":")
}

// executions looks at members of rq:wip. Whose they are stands in their hash.
func (f *fsck) executions(ctx context.Context, units []unit) error {
	workers := map[string]string{}
	name := func(u unit) [][]any {
		j, e, _ := splitMember(u.member)
		return [][]any{read("HGET", keyExecution(j, e), "worker_name")}
	}
	if err := f.facts(ctx, units, name, func(u unit, x []fact) { workers[u.member] = x[0].text }); err != nil {
		return err
	}
	return f.facts(ctx, units, func(u unit) [][]any {
		j, e, _ := splitMember(u.member)
		return [][]any{read("ZSCORE", u.key, u.member), read("EXISTS", keyJob(j)), read("HGET", keyJob(j), "status"),
			read("HGET", keyJob(j), "timeout"), read("EXISTS", keyExecution(j, e)),
			read("ZSCORE", f.c.keyLease(u.queue), u.member), read("HGET", f.c.keySlot(workers[u.member]), "token")}
	}, f.judgeWIP)
}

// judgeWIP: an execution.
func (f *fsck) judgeWIP(u unit, x []fact) {
	if !x[0].is {
		return
	}
	j, e, ok := splitMember(u.member)
	score, now := x[0].number(), float64(f.now.Unix())
	same := probe{cmd("ZSCORE", u.key, u.member), "some", ""}
	if !ok {
		f.note(u, FsckBadEntry, u.key, u.member, fmt.Sprintf("%.60q is not a job and an execution; RQ's tools end when they read it", u.member), x[:1],
			(&repair{edits: []edit{setScore(u.key, u.member, nil)}}).when(same), "remove the entry")
		return
	}
	// Its hash and rq:executions expire by themselves.
	remove := (&repair{edits: []edit{setScore(u.key, u.member, nil), setScore(f.c.keyLease(u.queue), u.member, nil)}}).when(same)
	timeout, _ := parseInt(x[3].text)
	kept := score > now && x[4].on()                          // a worker goes on with it
	cleaning := score <= now && now-score < cleaned.Seconds() // RQ's cleaning takes it
	status := Status(x[2].text)
	switch {
	case score <= 0 || score > now+float64(max(timeout, 420)+3600):
		f.note(u, FsckScore, u.key, j, fmt.Sprintf("score %s of an execution: nobody would ever take it from a dead worker", x[0].text), x[:1],
			(&repair{edits: []edit{setScore(u.key, u.member, new(strconv.FormatInt(f.now.Unix()+90, 10)))}}).when(same),
			"set it to 90 s from now; a living worker sets it anew")
	case !x[1].on() && (kept || cleaning):
	case !x[1].on():
		f.note(u, FsckNoJob, u.key, j, "an execution of a job that is gone", x,
			remove.when(probe{cmd("EXISTS", keyJob(j)), "=", "0"}), "remove the execution")
	case status != StatusStarted && kept:
	case status != StatusStarted && status != "":
		f.note(u, FsckNotStarted, u.key, j, fmt.Sprintf("an execution of a job that is %s; RQ's cleaning would fail or repeat it", status), x,
			remove.when(hashIs(keyJob(j), "status", x[2])), "remove the execution")
	case status == StatusStarted && !x[5].is && x[6].is:
		ends := strconv.FormatInt(f.now.Add(f.c.o.Lease).UnixMilli(), 10)
		f.note(u, FsckNoLease, u.key, j, "an execution of a docsvc worker without a lease: it would not be taken over at its worker's death", x,
			(&repair{edits: []edit{setScore(f.c.keyLease(u.queue), u.member, &ends)}}).when(same, probe{cmd("ZSCORE", f.c.keyLease(u.queue), u.member), "none", ""}),
			"give it a lease: a living worker renews it, else another one takes over")
	case score <= now-cleaned.Seconds():
		f.note(u, FsckAbandoned, u.key, j, fmt.Sprintf("its worker stopped renewing it at %s and nobody took the job over", time.Unix(int64(score), 0).UTC().Format(time.RFC3339)), x, nil,
			"any worker on queue "+u.queue+" takes it over within minutes, docsvc's at once: start one")
	case score > now+5 && !x[4].on():
		f.note(u, FsckIncomplete, u.key, j, "an execution without its hash "+keyExecution(j, e), x, nil,
			"its worker writes it anew with its next heartbeat; if that is dead, the job is taken over when its time has passed")
	}
}

func leaseFacts(u unit) [][]any {
	return [][]any{read("ZSCORE", u.key, u.member), read("ZSCORE", keyWIP(u.queue), u.member)}
}

func (f *fsck) judgeLease(u unit, x []fact) {
	if !x[0].is || !f.wants(u.queue) {
		return
	}
	j, _, _ := strings.Cut(u.member, ":")
	limit := f.now.Add(f.c.o.Lease)
	some := probe{cmd("ZSCORE", u.key, u.member), "some", ""}
	switch {
	case !x[1].is:
		f.note(u, FsckLease, u.key, j, "a lease without an execution", x,
			(&repair{edits: []edit{setScore(u.key, u.member, nil)}}).when(some, probe{cmd("ZSCORE", keyWIP(u.queue), u.member), "none", ""}), "remove the lease")
	case x[0].number() > float64(limit.Add(time.Minute).UnixMilli()):
		f.note(u, FsckScore, u.key, j, fmt.Sprintf("a lease that ends only at unix ms %s: the job of a dead worker would not be taken over", x[0].text), x[:1],
			(&repair{edits: []edit{setScore(u.key, u.member, new(strconv.FormatInt(limit.UnixMilli(), 10)))}}).when(some), "let it end "+f.c.o.Lease.String()+" from now")
	}
}

func executionFacts(u unit) [][]any {
	return [][]any{read("TYPE", u.key), read("TTL", u.key)}
}

func (f *fsck) judgeExecution(u unit, x []fact) {
	kind := "hash"
	if strings.HasPrefix(u.key, keyExecutions("")) {
		kind = "zset"
	}
	switch {
	case x[0].text == "none":
	case x[0].text != kind:
		f.judgeTypeOf(u, x[0], kind)
	case x[1].text != "-1":
		// it expires by itself
	case f.held == nil:
		f.later = append(f.later, u) // rq:wip is not known yet
	case !f.held.has(holdExecution(u.member)):
		f.note(u, FsckStray, u.key, u.member, "an execution that is in no registry, and never expires", x,
			&repair{edits: []edit{deleteKey(u.key)}}, "delete it")
	}
}
