package pickle

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
)

// Limits bound what Decode builds. A zero field means its default.
type Limits struct {
	MaxBytes    int   // input length, default 64 MiB
	MaxDepth    int   // containers inside one another, default 256
	MaxExpanded int64 // values plus bytes of text when shared values are counted at each place, default 64 Mi
	MaxValues   int   // opcodes that push or memoise, default 512 Ki
}

func (l Limits) withDefaults() Limits {
	l.MaxBytes = cmp.Or(l.MaxBytes, 64<<20)
	l.MaxDepth = cmp.Or(l.MaxDepth, 256)
	l.MaxExpanded = cmp.Or(l.MaxExpanded, 64<<20)
	l.MaxValues = cmp.Or(l.MaxValues, 1<<19)
	return l
}

// ErrLimit is wrapped by every error that says a limit was exceeded.
var ErrLimit = errors.New("limit exceeded")

var (
	errTruncated = errors.New("pickle ends early")
	errStack     = errors.New("pickle takes more from the stack than there is")
	errNoMark    = errors.New("pickle refers to a mark that is not there")
)

// Decode reads the first value of data. Bytes after its end are ignored, as
// Python ignores them.
func Decode(data []byte, limits Limits) (any, error) {
	d := &decoder{in: data, limits: limits.withDefaults()}
	if len(data) > d.limits.MaxBytes {
		return nil, fmt.Errorf("decoding pickle of %d bytes: %w: at most %d", len(data), ErrLimit, d.limits.MaxBytes)
	}
	v, err := d.run()
	if err != nil {
		return nil, fmt.Errorf("decoding pickle at byte %d: %w", d.pos, err)
	}
	return v, nil
}

// decoder is the stack machine that a pickle is a program for. While it runs
// containers are pointers (listNode and so on), because opcodes extend them
// after they were memoised; finish turns them into the package's values.
type decoder struct {
	in      []byte
	pos     int
	stack   []any
	marks   []int // lengths of the stack at each mark
	memo    []any // entries 0..len-1
	memoFar map[uint64]any
	pushed  int
	limits  Limits
}

func (d *decoder) run() (any, error) {
	for {
		op, err := d.byte()
		if err != nil {
			return nil, err
		}
		if op == opStop {
			v, err := d.pop()
			if err != nil {
				return nil, err
			}
			f := finisher{limits: d.limits}
			out, err := f.finish(v, 0)
			return out.value, err
		}
		if err := d.step(op); err != nil {
			return nil, err
		}
	}
}

func (d *decoder) step(op byte) error {
	for _, group := range []func(byte) (bool, error){d.scalarOp, d.textOp, d.containerOp, d.memoOp, d.objectOp} {
		if done, err := group(op); done || err != nil {
			return err
		}
	}
	return fmt.Errorf("unknown pickle opcode %#02x", op)
}

func (d *decoder) byte() (byte, error) {
	if d.pos >= len(d.in) {
		return 0, errTruncated
	}
	b := d.in[d.pos]
	d.pos++
	return b, nil
}

// take returns the next n bytes without copying them.
func (d *decoder) take(n uint64) ([]byte, error) {
	if n > uint64(len(d.in)-d.pos) {
		return nil, errTruncated
	}
	b := d.in[d.pos : d.pos+int(n)]
	d.pos += int(n)
	return b, nil
}

// uint reads a little-endian unsigned number of size bytes.
func (d *decoder) uint(size int) (uint64, error) {
	b, err := d.take(uint64(size))
	if err != nil {
		return 0, err
	}
	var full [8]byte
	copy(full[:], b)
	return binary.LittleEndian.Uint64(full[:]), nil
}

// sized reads a length of size bytes and that many bytes.
func (d *decoder) sized(size int) ([]byte, error) {
	n, err := d.uint(size)
	if err != nil {
		return nil, err
	}
	return d.take(n)
}

// line reads up to the next newline, which it drops.
func (d *decoder) line() (string, error) {
	for i := d.pos; i < len(d.in); i++ {
		if d.in[i] == '\n' {
			s := string(d.in[d.pos:i])
			d.pos = i + 1
			return s, nil
		}
	}
	return "", errTruncated
}

func (d *decoder) count() error {
	if d.pushed++; d.pushed > d.limits.MaxValues {
		return fmt.Errorf("%w: more than %d values", ErrLimit, d.limits.MaxValues)
	}
	return nil
}

func (d *decoder) push(v any) error {
	if err := d.count(); err != nil {
		return err
	}
	d.stack = append(d.stack, v)
	return nil
}

// floor is the length below which the current mark forbids popping.
func (d *decoder) floor() int {
	if len(d.marks) == 0 {
		return 0
	}
	return d.marks[len(d.marks)-1]
}

func (d *decoder) pop() (any, error) {
	n := len(d.stack) - 1
	if n < d.floor() {
		return nil, errStack
	}
	v := d.stack[n]
	d.stack = d.stack[:n]
	return v, nil
}

func (d *decoder) top() (any, error) {
	n := len(d.stack) - 1
	if n < d.floor() {
		return nil, errStack
	}
	return d.stack[n], nil
}

// popMark removes the top mark and returns a copy of what lay above it.
func (d *decoder) popMark() ([]any, error) {
	if len(d.marks) == 0 {
		return nil, errNoMark
	}
	at := d.floor()
	d.marks = d.marks[:len(d.marks)-1]
	items := append([]any(nil), d.stack[at:]...)
	d.stack = d.stack[:at]
	return items, nil
}

// memoOp handles marks, the memo and framing.
func (d *decoder) memoOp(op byte) (bool, error) {
	switch op {
	case opProto:
		v, err := d.byte()
		if err == nil && v > 5 {
			err = fmt.Errorf("unsupported pickle protocol %d", v)
		}
		return true, err
	case opFrame:
		n, err := d.uint(8)
		if err == nil && n > uint64(len(d.in)-d.pos) {
			err = errTruncated
		}
		return true, err
	case opMark:
		d.marks = append(d.marks, len(d.stack))
		return true, d.count()
	case opPopMark:
		_, err := d.popMark()
		return true, err
	case opPop:
		if n := len(d.marks); n > 0 && d.marks[n-1] == len(d.stack) {
			d.marks = d.marks[:n-1]
			return true, nil
		}
		_, err := d.pop()
		return true, err
	case opDup:
		v, err := d.top()
		if err != nil {
			return true, err
		}
		return true, d.push(v)
	case opMemoize:
		return true, d.put(uint64(len(d.memo) + len(d.memoFar)))
	}
	return d.memoIndexOp(op)
}

func (d *decoder) memoIndexOp(op byte) (bool, error) {
	sizes := map[byte]int{opBinGet: 1, opLongBinGet: 4, opBinPut: 1, opLongBinPut: 4}
	var at uint64
	var err error
	switch op {
	case opGet, opPut:
		at, err = d.lineIndex()
	case opBinGet, opLongBinGet, opBinPut, opLongBinPut:
		at, err = d.uint(sizes[op])
	default:
		return false, nil
	}
	if err != nil {
		return true, err
	}
	if op == opPut || op == opBinPut || op == opLongBinPut {
		return true, d.put(at)
	}
	return true, d.get(at)
}

func (d *decoder) put(at uint64) error {
	v, err := d.top()
	if err != nil {
		return err
	}
	if err := d.count(); err != nil {
		return err
	}
	switch {
	case at < uint64(len(d.memo)):
		d.memo[at] = v
	case at == uint64(len(d.memo)) && len(d.memoFar) == 0:
		d.memo = append(d.memo, v)
	default:
		// An index out of order must not size a slice.
		if d.memoFar == nil {
			d.memoFar = map[uint64]any{}
		}
		d.memoFar[at] = v
	}
	return nil
}

func (d *decoder) get(at uint64) error {
	if at < uint64(len(d.memo)) {
		return d.push(d.memo[at])
	}
	v, ok := d.memoFar[at]
	if !ok {
		return fmt.Errorf("memo has no entry %d", at)
	}
	return d.push(v)
}
