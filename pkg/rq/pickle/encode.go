package pickle

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"time"

	"github.com/google/uuid"
)

const (
	// batchSize, frameTarget and frameMin are those of CPython's _pickle.c.
	batchSize   = 1000
	frameTarget = 64 << 10
	frameMin    = 4

	frameHeader = 9 // opcode and length

	// maxEncodeDepth is what Decode reads back under its default limits.
	maxEncodeDepth = 256
)

// Encode writes v in protocol 5. Besides what Decode returns it takes Objects,
// every int and float type, slices, arrays, and maps with string keys, which it
// writes in the order of their keys. A time.Time becomes a datetime with the
// fixed offset that it has; a time.Duration becomes a timedelta, cut to
// microseconds. Anything else, Opaque included, is an error.
func Encode(v any) ([]byte, error) {
	e := &encoder{memo: map[any]int{}, frameStart: -1}
	e.out = append(e.out, opProto, 5)
	if err := e.save(v, 0); err != nil {
		return nil, fmt.Errorf("encoding pickle: %w", err)
	}
	e.write(opStop)
	e.closeFrame()
	return e.out, nil
}

type encoder struct {
	out        []byte
	frameStart int // offset of the open frame's header, or -1
	unframed   bool
	memo       map[any]int // what can be referred to again, by identity below
	memoLen    int
}

// Keys of encoder.memo: strings stand for themselves.
type (
	memoClass string
	memoByte  string
	memoUTC   struct{}
)

func (e *encoder) write(b ...byte) {
	if !e.unframed && e.frameStart < 0 {
		e.frameStart = len(e.out)
		e.out = append(e.out, make([]byte, frameHeader)...)
	}
	e.out = append(e.out, b...)
}

// closeFrame ends the open frame; one of under 4 bytes loses its header.
func (e *encoder) closeFrame() {
	if e.frameStart < 0 {
		return
	}
	body := len(e.out) - e.frameStart - frameHeader
	if body >= frameMin {
		e.out[e.frameStart] = opFrame
		binary.LittleEndian.PutUint64(e.out[e.frameStart+1:], uint64(body))
	} else {
		e.out = slices.Delete(e.out, e.frameStart, e.frameStart+frameHeader)
	}
	e.frameStart = -1
}

// boundary closes a frame that has grown to 64 KiB. CPython looks at it before
// each value.
func (e *encoder) boundary() {
	if e.frameStart >= 0 && len(e.out)-e.frameStart-frameHeader >= frameTarget {
		e.closeFrame()
	}
}

// blob writes an opcode header and its data. From 64 KiB on both stand
// between frames.
func (e *encoder) blob(header []byte, data string) {
	if len(data) >= frameTarget {
		e.closeFrame()
		e.unframed = true
		defer func() { e.unframed = false }()
	}
	e.write(header...)
	e.write([]byte(data)...)
}

func (e *encoder) memoize(identity any) {
	if identity != nil {
		e.memo[identity] = e.memoLen
	}
	e.memoLen++
	e.write(opMemoize)
}

// recall writes a reference to what was memoised under identity, if it was.
func (e *encoder) recall(identity any) bool {
	at, ok := e.memo[identity]
	if !ok {
		return false
	}
	if at < 256 {
		e.write(opBinGet, byte(at))
	} else {
		e.write(binary.LittleEndian.AppendUint32([]byte{opLongBinGet}, uint32(at))...)
	}
	return true
}

func (e *encoder) save(v any, depth int) error {
	e.boundary()
	if depth > maxEncodeDepth {
		return fmt.Errorf("%w: more than %d containers inside one another", ErrLimit, maxEncodeDepth)
	}
	switch v := v.(type) {
	case nil:
		e.write(opNone)
	case bool:
		if v {
			e.write(opNewTrue)
		} else {
			e.write(opNewFalse)
		}
	case int:
		e.int64(int64(v))
	case int64:
		e.int64(v)
	case uint64:
		e.bigInt(new(big.Int).SetUint64(v))
	case *big.Int:
		e.bigInt(v)
	case float64:
		e.write(binary.BigEndian.AppendUint64([]byte{opBinFloat}, math.Float64bits(v))...)
	case string:
		return e.str(v)
	case []byte:
		e.bytes(v)
	case ByteArray:
		e.blob(binary.LittleEndian.AppendUint64([]byte{opByteArray8}, uint64(len(v))), string(v))
		e.memoize(nil)
	default:
		return e.saveContainer(v, depth)
	}
	return nil
}

func (e *encoder) saveContainer(v any, depth int) error {
	switch v := v.(type) {
	case Tuple:
		return e.tuple(v, depth)
	case []any:
		return e.list(v, depth)
	case Dict:
		return e.dict(v, depth)
	case map[string]any:
		return e.dict(sortedDict(v), depth)
	case Set:
		return e.set(v, depth)
	case FrozenSet:
		return e.frozenSet(v, depth)
	case time.Time:
		return e.dateTime(v, depth)
	case DateTime:
		return e.reduce("datetime", "datetime", Tuple{append(v.Date.pack(v.Fold), v.TimeOfDay.pack()...)}, depth)
	case Date:
		return e.reduce("datetime", "date", Tuple{v.pack(false)}, depth)
	case TimeOfDay:
		b := v.pack()
		if v.Fold {
			b[0] |= 0x80
		}
		return e.reduce("datetime", "time", Tuple{b}, depth)
	case time.Duration:
		days, seconds, us := normalDelta(v)
		return e.reduce("datetime", "timedelta", Tuple{days, seconds, us}, depth)
	case *time.Location:
		return e.timeZone(zoneOf(v), depth)
	case fixedZone:
		return e.timeZone(v, depth)
	case Decimal:
		if !validDecimal(string(v)) {
			return errors.New("a Decimal that is not a number")
		}
		return e.reduce("decimal", "Decimal", Tuple{freshStr(v)}, depth)
	case freshStr:
		return e.freshStr(string(v))
	case uuid.UUID:
		return e.object(Object{"uuid", "UUID", Dict{{"int", new(big.Int).SetBytes(v[:])}}}, depth)
	case Object:
		return e.object(v, depth)
	case Opaque:
		return fmt.Errorf("an object of %s, which is only known by name", v.Global)
	}
	basic, err := reflected(v)
	if err != nil {
		return err
	}
	return e.save(basic, depth)
}

func (e *encoder) int64(n int64) {
	switch {
	case n < math.MinInt32 || n > math.MaxInt32:
		e.bigInt(big.NewInt(n))
	case n < 0 || n > 0xffff:
		e.write(binary.LittleEndian.AppendUint32([]byte{opBinInt}, uint32(int32(n)))...)
	case n > 0xff:
		e.write(opBinInt2, byte(n), byte(n>>8))
	default:
		e.write(opBinInt1, byte(n))
	}
}

func (e *encoder) bigInt(n *big.Int) {
	if n.IsInt64() && n.Int64() == int64(int32(n.Int64())) {
		e.int64(n.Int64())
		return
	}
	// Two's complement in the fewest bytes: a negative number takes the bits
	// of -n-1.
	bits := n.BitLen()
	if n.Sign() < 0 {
		bits = new(big.Int).Not(n).BitLen()
	}
	size := bits/8 + 1
	m := n
	if n.Sign() < 0 {
		m = new(big.Int).Add(n, new(big.Int).Lsh(big.NewInt(1), uint(size*8)))
	}
	b := m.FillBytes(make([]byte, size))
	slices.Reverse(b)
	if size < 256 {
		e.write(opLong1, byte(size))
	} else {
		e.write(binary.LittleEndian.AppendUint32([]byte{opLong4}, uint32(size))...)
	}
	e.write(b...)
}

func (e *encoder) str(s string) error {
	if e.recall(s) {
		return nil
	}
	return e.newStr(s, s)
}

// freshStr is text that CPython makes anew for each pickle, and so never
// shares with an equal string.
type freshStr string

func (e *encoder) freshStr(s string) error { return e.newStr(s, nil) }

func (e *encoder) newStr(s string, identity any) error {
	if !validText(s) {
		return errors.New("text that is not UTF-8")
	}
	var header []byte
	switch n := uint64(len(s)); {
	case n <= 0xff:
		header = []byte{opShortBinUnicode, byte(n)}
	case n <= math.MaxUint32:
		header = binary.LittleEndian.AppendUint32([]byte{opBinUnicode}, uint32(n))
	default:
		header = binary.LittleEndian.AppendUint64([]byte{opBinUnicode8}, n)
	}
	e.blob(header, s)
	e.memoize(identity)
	return nil
}

func (e *encoder) bytes(b []byte) {
	var identity any
	if len(b) <= 1 {
		// CPython keeps one object for each of these.
		identity = memoByte(b)
		if e.recall(identity) {
			return
		}
	}
	var header []byte
	switch n := uint64(len(b)); {
	case n <= 0xff:
		header = []byte{opShortBinBytes, byte(n)}
	case n <= math.MaxUint32:
		header = binary.LittleEndian.AppendUint32([]byte{opBinBytes}, uint32(n))
	default:
		header = binary.LittleEndian.AppendUint64([]byte{opBinBytes8}, n)
	}
	e.blob(header, string(b))
	e.memoize(identity)
}
