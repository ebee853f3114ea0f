package rq

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// unit is the smallest thing that is looked at: by the first look all of them,
// by the second those in which something was found.
type unit struct {
	kind   unitKind
	key    string
	member string // entry, member or job id
	queue  string
}

type unitKind int

const (
	unitServer       unitKind = iota
	unitJob                   // member: a job id
	unitEntry                 // of a queue's list
	unitIntermediate          // entry of an intermediate list
	unitMember                // of a registry, a sorted set of job ids
	unitWIP                   // member of rq:wip:Q
	unitLease                 // member of our lease:Q
	unitName                  // member of rq:queues, rq:workers or rq:workers:Q
	unitWorker                // a worker's hash
	unitOwn                   // our lease:Q or worker:W
	unitQueue                 // a queue's list, as a whole
	unitExecution             // rq:execution:J:E or rq:executions:J; member: J
	unitFamily                // rq:job:J:dependents, rq:job::J:dependencies, rq:results:J; member: J
	unitGroup                 // member of rq:groups or rq:group:NAME
	unitType                  // any other key of RQ's
)

const (
	fsckBatch = 100  // units in one round trip
	fsckPage  = 1000 // entries or keys in one
)

// the registries that are sorted sets of job ids
var jobRegistries = map[string]Registry{
	keyFinished(""): RegistryFinished, keyFailed(""): RegistryFailed, keyDeferred(""): RegistryDeferred,
	keyScheduled(""): RegistryScheduled, keyCanceled(""): RegistryCanceled,
}

// look looks at everything once.
func (f *fsck) look(ctx context.Context) error {
	if err := f.begin(ctx); err != nil {
		return err
	}
	f.queues, f.lists, f.listed, f.wips = map[string]bool{}, map[string]string{}, map[string]bool{}, map[string]bool{}
	if err := f.inspect(ctx, []unit{{kind: unitServer}}); err != nil {
		return err
	}
	if err := f.names(ctx, keyQueues); err != nil {
		return err
	}
	var registries []string
	// All keys of RQ's but those of jobs and results, which are many.
	err := f.scan(ctx, "rq:[^jr]*", func(keys []string) error {
		for _, key := range keys {
			if f.place(key) {
				registries = append(registries, key)
			}
		}
		return f.inspect(ctx, f.unitsOf(keys))
	})
	if err != nil {
		return err
	}
	if err := f.scan(ctx, escaped(f.c.o.Namespace)+"[lw]*", func(keys []string) error { return f.inspect(ctx, f.ownUnits(keys)) }); err != nil {
		return err
	}
	if err := f.hold(ctx, f.inspect); err != nil {
		return err
	}
	later := f.later
	f.later = nil
	if err := f.inspect(ctx, later); err != nil {
		return err
	}
	for _, key := range registries {
		if err := f.members(ctx, key); err != nil {
			return err
		}
	}
	for q := range f.queues {
		if err := f.zmembers(ctx, f.c.keyLease(q), unit{kind: unitLease, queue: q}); err != nil {
			return err
		}
	}
	return f.scan(ctx, "rq:[jr]*", func(keys []string) error { return f.inspect(ctx, f.unitsOf(keys)) })
}

// ownUnits are our own keys of queues and workers.
func (f *fsck) ownUnits(keys []string) []unit {
	var units []unit
	for _, key := range keys {
		if q, ok := strings.CutPrefix(key, f.c.keyLease("")); ok {
			f.queues[q] = true
			if !f.wants(q) {
				continue
			}
		} else if !strings.HasPrefix(key, f.c.keySlot("")) || !f.whole() {
			continue
		}
		units = append(units, unit{kind: unitOwn, key: key})
	}
	return units
}

// escaped is a text as a pattern that matches only it.
func escaped(text string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(text)
}

// place notes what a key says about queues, and reports whether its members
// are to be looked at.
func (f *fsck) place(key string) bool {
	note := func(q string) bool {
		f.queues[q] = true
		return f.wants(q)
	}
	if q, ok := strings.CutPrefix(key, keyWIP("")); ok {
		f.wips[key] = true
		return note(q)
	}
	for prefix := range jobRegistries {
		if q, ok := strings.CutPrefix(key, prefix); ok {
			return note(q)
		}
	}
	if q, ok := strings.CutPrefix(key, prefixQueue); ok {
		if owner, ok := f.intermediateOf(q); ok {
			note(owner)
			f.lists[key] = owner
		} else if !f.foreign(q) {
			note(q)
			f.lists[key] = q
		} else if strings.HasPrefix(q, "_compact:") {
			f.lists[key] = ""
		}
		return false
	}
	return f.whole() && (key == keyWorkers || strings.HasPrefix(key, keyWorkersOf("")) || key == keyGroups || strings.HasPrefix(key, keyGroup("")))
}

// intermediateOf answers the queue whose intermediate list rq:queue:name is.
func (f *fsck) intermediateOf(name string) (string, bool) {
	q, ok := strings.CutSuffix(name, ":intermediate")
	return q, ok && q != "" && !f.listed[keyQueue(name)]
}

// foreign reports that rq:queue:name is no queue's list: RQ's first_seen marks
// and the temporary list of compact().
func (f *fsck) foreign(name string) bool {
	return !f.listed[keyQueue(name)] && (strings.Contains(name, ":intermediate:first_seen:") || strings.HasPrefix(name, "_compact:"))
}

// unitsOf answers what keys are to be looked at as.
func (f *fsck) unitsOf(keys []string) []unit {
	var units []unit
	add := func(u unit) { units = append(units, u) }
	for _, key := range keys {
		if rest, ok := strings.CutPrefix(key, prefixJob); ok {
			if id, ok := strings.CutSuffix(rest, ":dependents"); ok && jobID.MatchString(id) {
				add(unit{kind: unitFamily, key: key, member: id})
			} else if id, ok := strings.CutSuffix(strings.TrimPrefix(rest, ":"), ":dependencies"); ok && jobID.MatchString(id) {
				add(unit{kind: unitFamily, key: key, member: id})
			} else if jobID.MatchString(rest) {
				add(unit{kind: unitJob, key: key, member: rest})
			}
			continue
		}
		if id, ok := strings.CutPrefix(key, keyResults("")); ok && jobID.MatchString(id) {
			add(unit{kind: unitFamily, key: key, member: id})
			continue
		}
		if id, ok := strings.CutPrefix(key, keyExecutions("")); ok {
			add(unit{kind: unitExecution, key: key, member: id})
			continue
		}
		if member, ok := strings.CutPrefix(key, prefixExecution); ok {
			id, _, _ := strings.Cut(member, ":")
			add(unit{kind: unitExecution, key: key, member: id})
			continue
		}
		if name, ok := strings.CutPrefix(key, prefixWorker); ok && f.whole() {
			add(unit{kind: unitWorker, key: key, member: name})
			continue
		}
		if name, ok := strings.CutPrefix(key, prefixQueue); ok {
			if q, between := f.intermediateOf(name); between {
				add(unit{kind: unitType, key: key, queue: q})
			} else if !strings.Contains(name, ":intermediate:first_seen:") && (f.wants(name) || f.foreign(name)) {
				add(unit{kind: unitQueue, key: key, queue: name})
			}
			continue
		}
		if _, known := typeOf(key); known {
			add(unit{kind: unitType, key: key})
		}
	}
	return units
}

// typeOf answers the type of a key of RQ's that is looked at only for that.
func typeOf(key string) (string, bool) {
	switch key {
	case keyQueues, keyWorkers, keyGroups:
		return "set", true
	}
	for prefix, kind := range map[string]string{
		keyWIP(""): "zset", keyWorkersOf(""): "set", keyGroup(""): "set", keyFinished(""): "zset", keyFailed(""): "zset",
		keyDeferred(""): "zset", keyScheduled(""): "zset", keyCanceled(""): "zset", prefixQueue: "list",
	} {
		if strings.HasPrefix(key, prefix) {
			return kind, true
		}
	}
	return "", false
}

// scan gives all keys of a pattern, some perhaps twice.
func (f *fsck) scan(ctx context.Context, pattern string, each func([]string) error) error {
	for cursor := uint64(0); ; {
		answered, err := f.pace.spend(ctx, fsckPage/10)
		if err != nil {
			return err
		}
		keys, next, err := f.c.rdb.Scan(ctx, cursor, pattern, fsckPage).Result()
		answered()
		if err != nil {
			return err
		}
		if err := each(keys); err != nil {
			return err
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

// members gives the members of a set or sorted set to inspect.
func (f *fsck) members(ctx context.Context, key string) error {
	if q, ok := strings.CutPrefix(key, keyWIP("")); ok {
		return f.zmembers(ctx, key, unit{kind: unitWIP, queue: q})
	}
	for prefix := range jobRegistries {
		if q, ok := strings.CutPrefix(key, prefix); ok {
			return f.zmembers(ctx, key, unit{kind: unitMember, queue: q})
		}
	}
	if key == keyGroups || strings.HasPrefix(key, keyGroup("")) {
		return f.smembers(ctx, key, unitGroup)
	}
	return f.smembers(ctx, key, unitName)
}

func (f *fsck) zmembers(ctx context.Context, key string, like unit) error {
	for cursor := uint64(0); ; {
		answered, err := f.pace.spend(ctx, fsckPage/10)
		if err != nil {
			return err
		}
		pairs, next, err := f.c.rdb.ZScan(ctx, key, cursor, "", fsckPage).Result()
		answered()
		if err != nil {
			return passType(err)
		}
		var units []unit
		for i := 0; i < len(pairs); i += 2 {
			u := like
			u.key, u.member = key, pairs[i]
			units = append(units, u)
		}
		f.report.Entries += int64(len(units))
		if err := f.inspect(ctx, units); err != nil {
			return err
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

func (f *fsck) smembers(ctx context.Context, key string, kind unitKind) error {
	for cursor := uint64(0); ; {
		answered, err := f.pace.spend(ctx, fsckPage/10)
		if err != nil {
			return err
		}
		list, next, err := f.c.rdb.SScan(ctx, key, cursor, "", fsckPage).Result()
		answered()
		if err != nil {
			return passType(err)
		}
		var units []unit
		for _, m := range list {
			units = append(units, unit{kind: kind, key: key, member: m})
		}
		f.report.Entries += int64(len(units))
		if err := f.inspect(ctx, units); err != nil {
			return err
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

// names reads rq:queues.
func (f *fsck) names(ctx context.Context, key string) error {
	list, err := f.c.rdb.SMembers(ctx, key).Result()
	if err != nil {
		return passType(err)
	}
	var units []unit
	for _, m := range list {
		f.listed[m] = true
		units = append(units, unit{kind: unitName, key: key, member: m})
		if q, ok := strings.CutPrefix(m, prefixQueue); ok && q != "" {
			f.queues[q] = true
		}
	}
	for _, q := range f.o.Queues {
		f.queues[q] = true
	}
	if !f.whole() {
		return nil
	}
	return f.inspect(ctx, units)
}

// What the sieve is asked.
func holdJob(id string) string          { return "q\x00" + id }                // stands in some list
func holdEntry(key, id string) string   { return "l\x00" + key + "\x00" + id } // stands in this list
func holdExecution(jobID string) string { return "w\x00" + jobID }             // is in some rq:wip

// hold puts what stands in all lists and rq:wip into a new sieve, and gives it
// to each when that is set. Lists are walked from their end by negative
// indexes, so that workers that take from the head and producers that push to
// the end meanwhile hide nothing; an entry taken out of the middle may hide
// another one.
func (f *fsck) hold(ctx context.Context, each func(context.Context, []unit) error) error {
	var total int64
	for key := range f.lists {
		n, err := f.c.rdb.LLen(ctx, key).Result()
		if passType(err) != nil {
			return err
		}
		total += n
	}
	f.held = newSieve(2*total + 1<<16)
	for key := range f.wips {
		if err := f.holdWIP(ctx, key); err != nil {
			return err
		}
	}
	for key, q := range f.lists {
		if err := f.holdList(ctx, key, q, each); err != nil {
			return err
		}
	}
	return nil
}

func (f *fsck) holdWIP(ctx context.Context, key string) error {
	for cursor := uint64(0); ; {
		answered, err := f.pace.spend(ctx, fsckPage/10)
		if err != nil {
			return err
		}
		pairs, next, err := f.c.rdb.ZScan(ctx, key, cursor, "", fsckPage).Result()
		answered()
		if err != nil {
			return passType(err)
		}
		for i := 0; i < len(pairs); i += 2 {
			id, _, _ := strings.Cut(pairs[i], ":")
			f.held.add(holdExecution(id))
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

func (f *fsck) holdList(ctx context.Context, key, q string, each func(context.Context, []unit) error) error {
	kind := unitEntry
	if key == keyIntermediate(q) && !f.listed[key] {
		kind = unitIntermediate
	}
	for last := int64(-1); ; last -= fsckPage {
		answered, err := f.pace.spend(ctx, fsckPage/10)
		if err != nil {
			return err
		}
		ids, err := f.c.rdb.LRange(ctx, key, last-fsckPage+1, last).Result()
		answered()
		if err != nil {
			return passType(err)
		}
		var units []unit
		for _, id := range ids {
			f.held.add(holdJob(id))
			f.held.add(holdEntry(key, id))
			if q != "" && f.wants(q) {
				units = append(units, unit{kind: kind, key: key, member: id, queue: q})
			}
		}
		if each != nil {
			f.report.Entries += int64(len(units))
			if err := each(ctx, units); err != nil {
				return err
			}
		}
		if len(ids) < fsckPage {
			return nil
		}
	}
}

// inspect looks at units of any kinds, in batches of one kind.
func (f *fsck) inspect(ctx context.Context, units []unit) error {
	f.tell()
	for len(units) > 0 {
		n := 1
		for n < len(units) && n < fsckBatch && units[n].kind == units[0].kind {
			n++
		}
		if err := f.inspectAll(ctx, units[:n]); err != nil {
			return err
		}
		units = units[n:]
	}
	return nil
}

func (f *fsck) inspectAll(ctx context.Context, units []unit) error {
	switch units[0].kind {
	case unitServer:
		return f.server(ctx)
	case unitJob:
		return f.jobs(ctx, units)
	case unitEntry, unitIntermediate:
		return f.facts(ctx, units, jobFacts, f.judgeEntry)
	case unitMember:
		return f.facts(ctx, units, memberFacts, f.judgeMember)
	case unitWIP:
		return f.executions(ctx, units)
	case unitLease:
		return f.facts(ctx, units, leaseFacts, f.judgeLease)
	case unitName:
		return f.facts(ctx, units, nameFacts, f.judgeName)
	case unitWorker:
		return f.facts(ctx, units, workerFacts, f.judgeWorker)
	case unitOwn:
		return f.facts(ctx, units, executionFacts, f.judgeOwn)
	case unitQueue:
		return f.facts(ctx, units, queueFacts, f.judgeQueue)
	case unitExecution:
		return f.facts(ctx, units, executionFacts, f.judgeExecution)
	case unitFamily:
		return f.facts(ctx, units, familyFacts, f.judgeFamily)
	case unitGroup:
		return f.facts(ctx, units, groupFacts, f.judgeGroup)
	default:
		return f.facts(ctx, units, typeFacts, f.judgeType)
	}
}

// facts reads what asks names for each unit, in one round trip of plain
// commands, and has it judged. A value is a text; absent ones are missing.
func (f *fsck) facts(ctx context.Context, units []unit, ask func(unit) [][]any, judge func(unit, []fact)) error {
	cmds, n := make([][]*redis.Cmd, len(units)), 0
	for _, u := range units {
		n += len(ask(u))
	}
	answered, err := f.pace.spend(ctx, n)
	if err != nil {
		return err
	}
	_, _ = f.c.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, u := range units {
			for _, words := range ask(u) {
				cmds[i] = append(cmds[i], p.Do(ctx, words...))
			}
		}
		return nil
	})
	answered()
	for i, u := range units {
		list := make([]fact, len(cmds[i]))
		for k, cmd := range cmds[i] {
			v, cmdErr := cmd.Result()
			switch {
			case cmdErr == nil && v != nil:
				list[k] = fact{text: plain(v), is: true}
			case cmdErr != nil && cmdErr != redis.Nil && !isWrongType(cmdErr):
				return cmdErr
			case isWrongType(cmdErr):
				list[k] = fact{wrong: true}
			}
		}
		judge(u, list)
	}
	return nil
}

// fact is one answer of Redis.
type fact struct {
	text  string
	is    bool // there is one
	wrong bool // the key is of another type
}

// on reports a number other than 0.
func (x fact) on() bool { return x.is && x.text != "0" }

func plain(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		switch {
		case math.IsInf(v, 1):
			return "inf"
		case math.IsInf(v, -1):
			return "-inf"
		}
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}

// number reads a score; what is none is not a number.
func (x fact) number() float64 {
	n, err := strconv.ParseFloat(x.text, 64)
	if err != nil {
		return math.NaN()
	}
	return n
}
