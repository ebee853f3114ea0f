package pickle

import "time"

// Tuple is a Python tuple.
type Tuple []any

// Pair is one entry of a Dict.
type Pair struct{ Key, Value any }

// Dict is a Python dict in insertion order. Decode gives each key once.
type Dict []Pair

// Set is a Python set, in the order in which it was written.
type Set []any

// FrozenSet is a Python frozenset, in the order in which it was written.
type FrozenSet []any

// ByteArray is a Python bytearray.
type ByteArray []byte

// Decimal is a Python decimal.Decimal as text, such as "1.50" or "NaN".
type Decimal string

// Date is a Python datetime.date.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// TimeOfDay is a Python datetime.time without time zone.
type TimeOfDay struct {
	Hour, Minute, Second, Microsecond int
	Fold                              bool // the second of two equal wall clock times
}

// DateTime is a Python datetime.datetime without time zone ("naive").
type DateTime struct {
	Date
	TimeOfDay
}

// Object is an instance of a class with its attributes, for Encode. Decode
// gives an Opaque for it.
type Object struct {
	Module, Class string
	State         Dict
}

// Opaque stands for an object of a class that this package does not know, or
// for the class itself (all fields but Global empty). It cannot be encoded.
type Opaque struct {
	Global string // module and name, such as "rq.job.Retry"
	Args   any    // arguments of its constructor, nil if none were written
	State  any    // what Python would have passed to __setstate__
	Items  []any  // elements appended to it
	Pairs  []Pair // entries set on it
}

// Get returns the value of a string key.
func (d Dict) Get(key string) (any, bool) {
	for _, p := range d {
		if k, ok := p.Key.(string); ok && k == key {
			return p.Value, true
		}
	}
	return nil, false
}

// StringMap returns the dict as a Go map; false if any key is not a str.
// Dicts inside it stay Dicts.
func (d Dict) StringMap() (map[string]any, bool) {
	m := make(map[string]any, len(d))
	for _, p := range d {
		k, ok := p.Key.(string)
		if !ok {
			return nil, false
		}
		m[k] = p.Value
	}
	return m, true
}
