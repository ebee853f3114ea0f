package rq

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// What is read of each kind of unit, and what is found in it. Every judge
// gives the facts that its finding rests on as its state.

// note adds a finding; state is all that it rests on.
func (f *fsck) note(u unit, kind FsckKind, key, job, problem string, state []fact, r *repair, fix string) {
	x := &fsckFinding{unit: u, repair: r}
	x.Kind, x.Key, x.JobID, x.Problem = kind, key, job, problem
	if r != nil {
		x.Fix = fix
	} else {
		x.Left = fix
	}
	for _, s := range state {
		x.state += fmt.Sprintf("%t%t%s\x00", s.is, s.wrong, s.text)
	}
	f.add(x)
}

// server looks whether Redis may drop keys.
func (f *fsck) server(ctx context.Context) error {
	text, err := f.c.rdb.Info(ctx, "memory").Result()
	if err != nil {
		return nil // managed Redis may forbid it, the in-process one has no such section
	}
	for line := range strings.Lines(text) {
		policy, ok := strings.CutPrefix(strings.TrimSpace(line), "maxmemory_policy:")
		if ok && policy != "noeviction" {
			f.note(unit{kind: unitServer}, FsckEviction, "maxmemory-policy", "",
				fmt.Sprintf("Redis may drop jobs when memory gets short: maxmemory-policy is %s", policy), nil, nil,
				"set it in Redis: CONFIG SET maxmemory-policy noeviction, and in its configuration file")
		}
	}
	return nil
}

func jobFacts(u unit) [][]any {
	return [][]any{read("EXISTS", keyJob(u.member)), read("HGET", keyJob(u.member), "status"), read("HGET", keyJob(u.member), "origin")}
}

// judgeEntry: an entry of a queue or of its intermediate list.
func (f *fsck) judgeEntry(u unit, x []fact) {
	if !f.held.has(holdEntry(u.key, u.member)) {
		return // it has left the list
	}
	remove := &repair{edits: []edit{removeEntry(u.key, u.member)}}
	if u.kind == unitIntermediate {
		remove.edits = append(remove.edits, deleteKey(keyFirstSeen(u.queue, u.member)))
	}
	where := "queue " + u.queue
	if u.kind == unitIntermediate {
		where = "the intermediate list of queue " + u.queue
	}
	exists, status := x[0].on(), Status(x[1].text)
	running := f.held.has(holdExecution(u.member))
	switch {
	case !jobID.MatchString(u.member):
		f.note(u, FsckBadEntry, u.key, u.member, fmt.Sprintf("%.60q in %s is not a job id; RQ's workers end when they read it", u.member, where), nil, remove, "remove the entry")
	case !exists && u.kind == unitIntermediate:
		f.note(u, FsckIntermediate, u.key, u.member, "taken by a worker of RQ, and the job's hash is gone", x, f.window(remove), f.windowText("remove the entry"))
	case !exists:
		f.note(u, FsckEntryWithoutJob, u.key, u.member, "in "+where+", but there is no such job", x,
			remove.when(probe{cmd("EXISTS", keyJob(u.member)), "=", "0"}), "remove the entry")
	case u.kind == unitIntermediate && !running:
		f.judgeIntermediate(u, status, x, remove)
	case u.kind == unitEntry && (status.Final() || status == StatusStarted || status == StatusScheduled || status == StatusDeferred):
		f.note(u, FsckEntryNotWaiting, u.key, u.member, fmt.Sprintf("in %s, but the job is %s; docsvc drops such an entry, a worker of RQ runs it", where, status), x,
			remove.when(hashIs(keyJob(u.member), "status", x[1])), "remove the entry")
	}
}

func (f *fsck) judgeIntermediate(u unit, status Status, x []fact, remove *repair) {
	remove.when(hashIs(keyJob(u.member), "status", x[1]), probe{cmd("HOLDS", keyWIP(u.queue), u.member), "none", ""})
	problem := fmt.Sprintf("taken by a worker of RQ that never started it; the job is %s", status)
	fix := "remove the entry"
	if status == StatusQueued || status == StatusCreated || status == "" {
		problem = "taken by a worker of RQ that never started it"
		remove.move = &move{job: u.member, queue: u.queue}
		fix = "put the job back to the head of queue " + u.queue
	}
	f.note(u, FsckIntermediate, u.key, u.member, problem, x, f.window(remove), f.windowText(fix))
}

// window answers the repair of what may be a job that a worker of Python's has
// only just taken: none unless it was looked at long enough.
func (f *fsck) window(r *repair) *repair {
	if f.python && f.o.Age < pythonWindow {
		return nil
	}
	return r
}

func (f *fsck) windowText(fix string) string {
	if f.window(&repair{}) == nil {
		return "a worker of RQ is alive and may have taken it only just now; RQ's cleaning looks at it, or run again with --age 60s"
	}
	return fix
}

func memberFacts(u unit) [][]any {
	return [][]any{read("ZSCORE", u.key, u.member), read("EXISTS", keyJob(u.member)), read("HGET", keyJob(u.member), "status")}
}

// judgeMember: a member of finished, failed, deferred, scheduled or canceled.
func (f *fsck) judgeMember(u unit, x []fact) {
	if !x[0].is {
		return
	}
	var reg Registry
	for prefix, r := range jobRegistries {
		if strings.HasPrefix(u.key, prefix) {
			reg = r
		}
	}
	score, status := x[0].number(), Status(x[2].text)
	remove := (&repair{edits: []edit{setScore(u.key, u.member, nil)}}).when(probe{cmd("ZSCORE", u.key, u.member), "some", ""})
	now := float64(f.now.Unix())
	expires := (reg == RegistryFinished || reg == RegistryFailed) && score >= 0 && !math.IsInf(score, 1)
	switch {
	case !jobID.MatchString(u.member):
		f.note(u, FsckBadEntry, u.key, u.member, fmt.Sprintf("%.60q is not a job id; RQ's tools end when they read it", u.member), x[:1], remove, "remove the entry")
	case !x[1].on():
		if expires && score <= now+2 && now-score < cleaned.Seconds() {
			return // RQ's cleaning removes it
		}
		if reg == RegistryScheduled && score <= now && now-score < 90 {
			return // a scheduler does
		}
		f.note(u, FsckEntryWithoutJob, u.key, u.member, fmt.Sprintf("in the %s registry, but there is no such job", reg), x,
			remove.when(probe{cmd("EXISTS", keyJob(u.member)), "=", "0"}), "remove the entry")
	case reg == RegistryScheduled && status != StatusScheduled, reg == RegistryDeferred && status != StatusDeferred:
		if x[2].text == "" || strings.HasPrefix(x[2].text, "r") {
			return // no status to go by, or one of RQ 3
		}
		f.note(u, FsckRegistryMismatch, u.key, u.member, fmt.Sprintf("in the %s registry, but the job is %s", reg, status), x,
			remove.when(hashIs(keyJob(u.member), "status", x[2])), "remove the entry")
	default:
		f.judgeScore(u, reg, score, x)
	}
}

// latestScore is the highest score in seconds that somebody may mean: what is
// above was milliseconds, or worse.
const latestScore = 1e11

func (f *fsck) judgeScore(u unit, reg Registry, score float64, x []fact) {
	now := float64(f.now.Unix())
	out := func(problem string, r *repair, fix string) {
		f.note(u, FsckScore, u.key, u.member, fmt.Sprintf("score %s in the %s registry: %s", x[0].text, reg, problem), x, r, fix)
	}
	switch reg {
	case RegistryScheduled:
		if score < 0 || score > latestScore {
			out("no scheduler ever takes it", nil, "when it was meant to run is not known: docsvc queue cancel it, or enqueue it again")
		}
	case RegistryDeferred, RegistryCanceled:
		if score < 0 || score > now+86400 {
			r := (&repair{edits: []edit{setScore(u.key, u.member, new(strconv.FormatInt(f.now.Unix(), 10)))}}).when(probe{cmd("ZSCORE", u.key, u.member), "some", ""})
			out("it should be when the job came there", r, "set it to now")
		}
	case RegistryFailed:
		if score > latestScore {
			out("RQ's tools can't read it, and it never expires", nil, "how long it was to be kept is not known")
		}
	case RegistryFinished:
		if score > latestScore && !math.IsInf(score, 1) {
			out("it never expires", nil, "how long it was to be kept is not known")
		}
	}
}

func nameFacts(u unit) [][]any {
	return [][]any{read("SISMEMBER", u.key, u.member), read("EXISTS", u.member)}
}

func (f *fsck) judgeName(u unit, x []fact) {
	prefix := prefixWorker
	if u.key == keyQueues {
		prefix = prefixQueue
	}
	name, ok := strings.CutPrefix(u.member, prefix)
	remove := (&repair{edits: []edit{setMember(u.key, u.member, false)}}).when(probe{cmd("SISMEMBER", u.key, u.member), "=", "1"})
	switch {
	case !x[0].on():
	case !ok || name == "":
		f.note(u, FsckBadMember, u.key, "", fmt.Sprintf("%.60q is not the name of a key %s...; RQ's tools end when they read it", u.member, prefix), x[:1], remove, "remove it")
	case prefix == prefixWorker && !x[1].on():
		f.note(u, FsckDeadWorker, u.key, "", "worker "+name+" is listed, and gone", x,
			remove.when(probe{cmd("EXISTS", u.member), "=", "0"}), "remove it")
	}
}

func workerFacts(u unit) [][]any {
	return [][]any{read("TYPE", u.key), read("TTL", u.key), read("HGET", u.key, "death"), read("HGET", u.key, "queues"),
		read("SISMEMBER", keyWorkers, u.key)}
}

func (f *fsck) judgeWorker(u unit, x []fact) {
	if x[0].text != "hash" {
		f.judgeTypeOf(u, x[0], "hash")
		return
	}
	if x[1].text == "-1" {
		f.note(u, FsckForever, u.key, "", "the hash of worker "+u.member+" never expires: it would look alive for ever", x[1:2],
			&repair{edits: []edit{expireKey(u.key, 480)}}, "let it expire in 480 s; a living worker renews it")
	}
	if x[2].text == "" && !x[4].on() && x[3].text != "" {
		r := &repair{edits: []edit{setMember(keyWorkers, u.key, true)}}
		for _, q := range strings.Split(x[3].text, ",") {
			r.edits = append(r.edits, setMember(keyWorkersOf(q), u.key, true))
		}
		f.note(u, FsckUnlisted, u.key, "", "worker "+u.member+" is alive, and not listed in "+keyWorkers, []fact{x[2], x[3], x[4]},
			r.when(probe{cmd("EXISTS", u.key), "=", "1"}, hashIs(u.key, "queues", x[3]), hashIs(u.key, "death", x[2])), "list it")
	}
}

// judgeOwn: our lease:Q, and worker:W, our hold on a worker's name.
func (f *fsck) judgeOwn(u unit, x []fact) {
	name, slot := strings.CutPrefix(u.key, f.c.keySlot(""))
	kind := "zset"
	if slot {
		kind = "hash"
	}
	switch {
	case x[0].text == "none":
	case x[0].text != kind:
		f.judgeTypeOf(u, x[0], kind)
	case slot && x[1].text == "-1":
		f.note(u, FsckForever, u.key, "", "docsvc's hold on the worker name "+name+" never expires", x,
			&repair{edits: []edit{expireKey(u.key, 86400)}}, "let it expire in a day; a living worker renews it")
	}
}

func queueFacts(u unit) [][]any {
	return [][]any{read("TYPE", u.key), read("LLEN", u.key), read("SISMEMBER", keyQueues, u.key), read("LINDEX", u.key, -1)}
}

func (f *fsck) judgeQueue(u unit, x []fact) {
	switch {
	case x[0].text == "none":
	case x[0].text != "list":
		f.judgeTypeOf(u, x[0], "list")
	case f.foreign(u.queue):
		f.note(u, FsckCompact, u.key, "", fmt.Sprintf("%s jobs of a queue that RQ's Queue.compact() was rewriting when it was ended", x[1].text), x, nil,
			"which queue it was is not known to Redis: look at the origin of a job in it, then LMOVE its entries there")
	case !x[2].on():
		f.note(u, FsckQueueUnlisted, u.key, "", fmt.Sprintf("queue %s is not listed in %s: RQ's tools don't show it", u.queue, keyQueues), x[2:3],
			(&repair{edits: []edit{setMember(keyQueues, u.key, true)}}).when(probe{cmd("TYPE", u.key), "=", "list"}), "list it")
	}
}

func familyFacts(u unit) [][]any {
	return [][]any{read("TYPE", u.key), read("TTL", u.key), read("EXISTS", keyJob(u.member))}
}

func (f *fsck) judgeFamily(u unit, x []fact) {
	kind, found, what := "set", FsckDependents, "the set of jobs that wait for a job that is gone"
	switch {
	case strings.HasPrefix(u.key, keyResults("")):
		kind, found, what = "stream", FsckResults, "results of a job that is gone, kept for ever"
	case strings.HasSuffix(u.key, ":dependencies"):
		what = "the set of jobs that a job waits for that is gone"
	}
	switch {
	case x[0].text == "none":
	case x[0].text != kind:
		f.judgeTypeOf(u, x[0], kind)
	case x[1].text == "-1" && !x[2].on():
		f.note(u, found, u.key, u.member, what, x,
			(&repair{edits: []edit{deleteKey(u.key)}}).when(probe{cmd("EXISTS", keyJob(u.member)), "=", "0"}), "delete it")
	}
}

func groupFacts(u unit) [][]any {
	behind := keyJob(u.member)
	if u.key == keyGroups {
		behind = keyGroup(u.member)
	}
	return [][]any{read("SISMEMBER", u.key, u.member), read("EXISTS", behind)}
}

func (f *fsck) judgeGroup(u unit, x []fact) {
	if !x[0].on() || x[1].on() {
		return
	}
	kind, behind, job, problem := FsckGroupMember, keyJob(u.member), u.member, "in a group, but there is no such job"
	if u.key == keyGroups {
		kind, behind, job, problem = FsckGroup, keyGroup(u.member), "", fmt.Sprintf("group %.60q has no jobs any more", u.member)
	}
	if f.python {
		return // every worker of RQ cleans all groups every ten minutes
	}
	f.note(u, kind, u.key, job, problem, x, (&repair{edits: []edit{setMember(u.key, u.member, false)}}).when(
		probe{cmd("SISMEMBER", u.key, u.member), "=", "1"}, probe{cmd("EXISTS", behind), "=", "0"}), "remove it")
}

func typeFacts(u unit) [][]any { return [][]any{read("TYPE", u.key)} }

func (f *fsck) judgeType(u unit, x []fact) {
	if want, ok := typeOf(u.key); ok && x[0].text != want && x[0].text != "none" {
		f.judgeTypeOf(u, x[0], want)
	}
}

func (f *fsck) judgeTypeOf(u unit, x fact, want string) {
	if x.text == "none" || x.text == "" {
		return
	}
	aside := f.c.o.Namespace + "fsck:moved:" + u.key
	job := ""
	if slices.Contains([]unitKind{unitJob, unitFamily, unitExecution}, u.kind) {
		job = u.member
	}
	f.note(u, FsckType, u.key, job, fmt.Sprintf("a %s where RQ has a %s: whoever needs it fails", x.text, want), []fact{x},
		(&repair{edits: []edit{renameKey(u.key, aside)}}).when(probe{cmd("TYPE", u.key), "=", word(x.text)}), "rename it to "+aside)
}
