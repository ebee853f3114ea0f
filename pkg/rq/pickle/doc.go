// Package pickle reads and writes the part of Python's pickle format that
// plain data needs, so that job payloads and results can be exchanged with
// Python's RQ. Nothing in a pickle is ever executed or imported.
//
// Decode reads protocols 0 to 5 within Limits. Values come back as
//
//	None                      nil
//	bool, str, float          bool, string, float64
//	int                       int64, or *big.Int beyond 64 bits
//	bytes, bytearray          []byte, ByteArray
//	list, tuple               []any, Tuple
//	dict                      Dict, in Python's order
//	set, frozenset            Set, FrozenSet
//	datetime with an offset   time.Time
//	datetime without one      DateTime
//	date, time                Date, TimeOfDay
//	timedelta                 time.Duration
//	timezone                  *time.Location
//	uuid.UUID                 uuid.UUID
//	decimal.Decimal           Decimal
//	any other object          Opaque: its class name and what it was made of
//
// A str may hold lone surrogates; they are kept as the three bytes that
// CPython's surrogatepass writes, which is not valid UTF-8.
//
// Encode writes protocol 5 with the bytes that CPython's C pickler gives for
// the same values: framing, batches and memo included. CPython's memo goes by
// object identity, which Go values do not have; equal strings are taken to be
// one object, as Python's interned constants are, and every other value to be
// an object of its own.
package pickle
