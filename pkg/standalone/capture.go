package standalone

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// memory reads what miniredis holds, out of its private maps and under its
// exported lock.
//
// Its commands would do: one script that reads every key is consistent too.
// But it takes about ten times as long, all of it under the lock (0.6 s of CPU
// for 10,000 job hashes), since everything passes through RESP and Lua twice.
// The version of miniredis is pinned; layout is checked at every start, and a
// test compares what comes out with what went in for every type.
type memory struct {
	mini *miniredis.Miniredis
	db   reflect.Value // miniredis.RedisDB, number 0
}

// memoryLayout is how the maps below must look: the type of their elements,
// or for a pointer of what it points to, must convert to these.
var memoryLayout = map[string]reflect.Type{
	"keys":          reflect.TypeFor[string](),
	"stringKeys":    reflect.TypeFor[string](),
	"hashKeys":      reflect.TypeFor[map[string]string](),
	"listKeys":      reflect.TypeFor[[]string](),
	"setKeys":       reflect.TypeFor[map[string]struct{}](),
	"sortedsetKeys": reflect.TypeFor[map[string]float64](),
	"ttl":           reflect.TypeFor[time.Duration](),
}

var errMemoryLayout = errors.New("the in-process Redis is built of another miniredis than this docsvc can keep: install redis-server, and report this")

func readMemory(m *miniredis.Miniredis) (*memory, error) {
	db := reflect.ValueOf(m.DB(0)).Elem()
	for name, want := range memoryLayout {
		f := db.FieldByName(name)
		if !f.IsValid() || f.Kind() != reflect.Map || f.Type().Key().Kind() != reflect.String || !f.Type().Elem().ConvertibleTo(want) || f.Type().Elem().Kind() != want.Kind() {
			return nil, fmt.Errorf("%w (%s)", errMemoryLayout, name)
		}
	}
	streams := db.FieldByName("streamKeys")
	if !streams.IsValid() || streams.Kind() != reflect.Map || streams.Type().Elem().Kind() != reflect.Pointer {
		return nil, fmt.Errorf("%w (streamKeys)", errMemoryLayout)
	}
	stream := streams.Type().Elem().Elem()
	last, ok1 := stream.FieldByName("lastAllocatedID")
	entries, ok2 := stream.FieldByName("entries")
	if !ok1 || !ok2 || last.Type.Kind() != reflect.String || entries.Type != reflect.TypeFor[[]miniredis.StreamEntry]() {
		return nil, fmt.Errorf("%w (streamKeys)", errMemoryLayout)
	}
	return &memory{m, db}, nil
}

// value is one key with its content.
type value struct {
	key  string
	ttl  time.Duration // 0: none
	name string        // command that makes it
	args []string      // of that command, in groups
	size int           // of a group

	entries []miniredis.StreamEntry // of a stream
	last    string                  // id that a stream generated last
}

// capture reads everything at one instant. Strings are shared, not copied, so
// that the lock is held for as short as possible.
func (m *memory) capture(now time.Time) (*keyspace, error) {
	m.mini.Lock()
	values, keys := m.values(), m.db.FieldByName("keys").Len()
	m.mini.Unlock()
	if len(values) != keys {
		return nil, fmt.Errorf("reading the in-process Redis: %d of its %d keys are of a type that cannot be kept", keys-len(values), keys)
	}
	ks := &keyspace{keys: keys, taken: now}
	for _, v := range values {
		ks.add(v)
	}
	return ks, nil
}

func (m *memory) values() []value {
	var out []value
	m.each("stringKeys", func(v value, content reflect.Value) {
		v.name, v.size, v.args = "SET", 1, []string{content.String()}
		out = append(out, v)
	})
	m.each("hashKeys", func(v value, content reflect.Value) {
		v.name, v.size, v.args = "HSET", 2, make([]string, 0, 2*content.Len())
		for i := content.MapRange(); i.Next(); {
			v.args = append(v.args, i.Key().String(), i.Value().String())
		}
		out = append(out, v)
	})
	m.each("listKeys", func(v value, content reflect.Value) {
		v.name, v.size, v.args = "RPUSH", 1, make([]string, content.Len())
		for i := range v.args {
			v.args[i] = content.Index(i).String()
		}
		out = append(out, v)
	})
	m.each("setKeys", func(v value, content reflect.Value) {
		v.name, v.size, v.args = "SADD", 1, make([]string, 0, content.Len())
		for i := content.MapRange(); i.Next(); {
			v.args = append(v.args, i.Key().String())
		}
		out = append(out, v)
	})
	m.each("sortedsetKeys", func(v value, content reflect.Value) {
		v.name, v.size, v.args = "ZADD", 2, make([]string, 0, 2*content.Len())
		for i := content.MapRange(); i.Next(); {
			v.args = append(v.args, strconv.FormatFloat(i.Value().Float(), 'g', -1, 64), i.Key().String())
		}
		out = append(out, v)
	})
	m.each("streamKeys", func(v value, content reflect.Value) {
		v.name = "XADD"
		v.last = content.Elem().FieldByName("lastAllocatedID").String()
		entries := content.Elem().FieldByName("entries")
		for i := range entries.Len() {
			e := entries.Index(i)
			fields := e.FieldByName("Values")
			entry := miniredis.StreamEntry{ID: e.FieldByName("ID").String(), Values: make([]string, fields.Len())}
			for j := range entry.Values {
				entry.Values[j] = fields.Index(j).String()
			}
			v.entries = append(v.entries, entry)
		}
		out = append(out, v)
	})
	return out
}

// each calls f for the keys in one of the maps.
func (m *memory) each(name string, f func(v value, content reflect.Value)) {
	ttl := m.db.FieldByName("ttl")
	for i := m.db.FieldByName(name).MapRange(); i.Next(); {
		v := value{key: i.Key().String()}
		if d := ttl.MapIndex(i.Key()); d.IsValid() {
			// Less than nothing is left until the clock's next step.
			v.ttl = max(time.Duration(d.Int()), time.Millisecond)
		}
		f(v, i.Value())
	}
}
