package pickle

import (
	"errors"
	"time"
)

func (e *encoder) saveAll(items []any, depth int) error {
	for _, v := range items {
		if err := e.save(v, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (e *encoder) tuple(t Tuple, depth int) error {
	if len(t) == 0 {
		e.write(opEmptyTuple)
		return nil
	}
	if len(t) > 3 {
		e.write(opMark)
	}
	if err := e.saveAll(t, depth); err != nil {
		return err
	}
	if len(t) > 3 {
		e.write(opTuple)
	} else {
		e.write(byte(opTuple1 + len(t) - 1))
	}
	e.memoize(nil)
	return nil
}

func (e *encoder) list(items []any, depth int) error {
	e.write(opEmptyList)
	e.memoize(nil)
	if len(items) == 1 {
		if err := e.save(items[0], depth+1); err != nil {
			return err
		}
		e.write(opAppend)
		return nil
	}
	for len(items) > 0 {
		batch := items[:min(batchSize, len(items))]
		items = items[len(batch):]
		e.write(opMark)
		if err := e.saveAll(batch, depth); err != nil {
			return err
		}
		e.write(opAppends)
	}
	return nil
}

func (e *encoder) dict(d Dict, depth int) error {
	e.write(opEmptyDict)
	e.memoize(nil)
	if len(d) == 0 {
		return nil
	}
	if len(d) == 1 {
		if err := e.saveAll([]any{d[0].Key, d[0].Value}, depth); err != nil {
			return err
		}
		e.write(opSetItem)
		return nil
	}
	return e.batches(len(d), opSetItems, func(i int) error {
		return e.saveAll([]any{d[i].Key, d[i].Value}, depth)
	})
}

// batches writes n entries the way CPython does for dicts and sets: after a
// full batch it always opens another, so that a multiple of the batch size
// ends in an empty one.
func (e *encoder) batches(n int, op byte, save func(i int) error) error {
	for i := 0; ; {
		end := min(i+batchSize, n)
		full := end-i == batchSize
		e.write(opMark)
		for ; i < end; i++ {
			if err := save(i); err != nil {
				return err
			}
		}
		e.write(op)
		if !full {
			return nil
		}
	}
}

func (e *encoder) set(s Set, depth int) error {
	e.write(opEmptySet)
	e.memoize(nil)
	if len(s) == 0 {
		return nil
	}
	return e.batches(len(s), opAddItems, func(i int) error { return e.save(s[i], depth+1) })
}

func (e *encoder) frozenSet(s FrozenSet, depth int) error {
	e.write(opMark)
	if err := e.saveAll(s, depth); err != nil {
		return err
	}
	e.write(opFrozenSet)
	e.memoize(nil)
	return nil
}

// class writes a class by name. Module names are interned strings in CPython,
// and so are the names of classes written in Python; those of built-in types
// are made anew each time.
func (e *encoder) class(module, name string, builtin bool) error {
	identity := memoClass(module + "." + name)
	e.boundary()
	if e.recall(identity) {
		return nil
	}
	e.boundary()
	if err := e.str(module); err != nil {
		return err
	}
	e.boundary()
	write := e.str
	if builtin {
		write = e.freshStr
	}
	if err := write(name); err != nil {
		return err
	}
	e.write(opStackGlobal)
	e.memoize(identity)
	return nil
}

// reduce writes a call of a built-in type.
func (e *encoder) reduce(module, name string, args Tuple, depth int) error {
	if err := e.class(module, name, true); err != nil {
		return err
	}
	if err := e.save(args, depth+1); err != nil {
		return err
	}
	e.write(opReduce)
	e.memoize(nil)
	return nil
}

func (e *encoder) dateTime(t time.Time, depth int) error {
	if t.Year() < 1 || t.Year() > 9999 {
		return errors.New("a time outside the years 1 to 9999")
	}
	parts := split(t)
	offset, name := zone(t)
	return e.reduce("datetime", "datetime", Tuple{
		append(parts.Date.pack(false), parts.TimeOfDay.pack()...), fixedZone{offset, name},
	}, depth)
}

// fixedZone is a datetime.timezone.
type fixedZone struct {
	offset time.Duration
	name   string
}

func zoneOf(l *time.Location) fixedZone {
	offset, name := zone(time.Unix(0, 0).In(l))
	return fixedZone{offset, name}
}

func (e *encoder) timeZone(z fixedZone, depth int) error {
	utc := z.offset == 0 && z.name == ""
	if utc && e.recall(memoUTC{}) {
		return nil
	}
	if err := e.class("datetime", "timezone", true); err != nil {
		return err
	}
	args := Tuple{z.offset}
	if z.name != "" {
		args = append(args, z.name)
	}
	if err := e.save(args, depth+1); err != nil {
		return err
	}
	e.write(opReduce)
	if utc {
		// datetime.timezone.utc is one object.
		e.memoize(memoUTC{})
	} else {
		e.memoize(nil)
	}
	return nil
}

// object writes an instance of a class written in Python.
func (e *encoder) object(o Object, depth int) error {
	if err := e.class(o.Module, o.Class, false); err != nil {
		return err
	}
	if err := e.save(Tuple{}, depth+1); err != nil {
		return err
	}
	e.write(opNewObj)
	e.memoize(nil)
	if err := e.save(o.State, depth+1); err != nil {
		return err
	}
	e.write(opBuild)
	return nil
}
