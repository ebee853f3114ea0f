package rq

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

const (
	fsckBatch = 100  // units in one round trip
	fsckPage  = 1000 // entries or keys in one
)

// look looks at everything once.
func (f *fsck) look(ctx context.Context) error {
	if err := f.begin(ctx); err != nil {
		return err
	}
	f.queues, f.lists, f.listed, f.wips = map[string]bool{}, map[string]string{}, map[string]bool{}, map[string]bool{}
	if err := f.inspect(ctx, []unit{{kind: unitServer}}); err != nil {
		return err
	}
	if err := f.names(ctx); err != nil {
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
	return f.scan(ctx, "rq:[jr]*", func(keys []string) error {
		units := f.unitsOf(keys)
		// One round trip is for units of one kind, and the keys come in any order.
		slices.SortStableFunc(units, func(a, b unit) int { return cmp.Compare(a.kind, b.kind) })
		return f.inspect(ctx, units)
	})
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

// pages reads with a SCAN, SSCAN or ZSCAN to its end and gives what it finds,
// some perhaps twice. A key of another type has nothing.
func (f *fsck) pages(ctx context.Context, read func(cursor uint64) *redis.ScanCmd, each func([]string) error) error {
	for cursor := uint64(0); ; {
		answered, err := f.pace.spend(ctx, fsckPage/10)
		if err != nil {
			return err
		}
		found, next, err := read(cursor).Result()
		answered()
		if err != nil {
			return passType(err)
		}
		if err := each(found); err != nil {
			return err
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

// scan gives all keys of a pattern.
func (f *fsck) scan(ctx context.Context, pattern string, each func([]string) error) error {
	return f.pages(ctx, func(cursor uint64) *redis.ScanCmd { return f.c.rdb.Scan(ctx, cursor, pattern, fsckPage) }, each)
}

// zscan gives the members of a sorted set, each followed by its score.
func (f *fsck) zscan(ctx context.Context, key string, each func([]string) error) error {
	return f.pages(ctx, func(cursor uint64) *redis.ScanCmd { return f.c.rdb.ZScan(ctx, key, cursor, "", fsckPage) }, each)
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

// zmembers gives the members of a sorted set to inspect, as units like that.
func (f *fsck) zmembers(ctx context.Context, key string, like unit) error {
	return f.zscan(ctx, key, func(pairs []string) error {
		var units []unit
		for i := 0; i < len(pairs); i += 2 {
			u := like
			u.key, u.member = key, pairs[i]
			units = append(units, u)
		}
		f.report.Entries += int64(len(units))
		return f.inspect(ctx, units)
	})
}

// smembers gives the members of a set to inspect.
func (f *fsck) smembers(ctx context.Context, key string, kind unitKind) error {
	read := func(cursor uint64) *redis.ScanCmd { return f.c.rdb.SScan(ctx, key, cursor, "", fsckPage) }
	return f.pages(ctx, read, func(list []string) error {
		var units []unit
		for _, m := range list {
			units = append(units, unit{kind: kind, key: key, member: m})
		}
		f.report.Entries += int64(len(units))
		return f.inspect(ctx, units)
	})
}

// names reads rq:queues.
func (f *fsck) names(ctx context.Context) error {
	list, err := f.c.rdb.SMembers(ctx, keyQueues).Result()
	if err != nil {
		return passType(err)
	}
	var units []unit
	for _, m := range list {
		f.listed[m] = true
		units = append(units, unit{kind: unitName, key: keyQueues, member: m})
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
