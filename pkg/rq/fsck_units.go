package rq

import (
	"context"
	"strings"
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

// jobRegistries are the registries that are sorted sets of job ids, by the
// beginning of their keys.
var jobRegistries = map[string]Registry{
	keyFinished(""): RegistryFinished, keyFailed(""): RegistryFailed, keyDeferred(""): RegistryDeferred,
	keyScheduled(""): RegistryScheduled, keyCanceled(""): RegistryCanceled,
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
