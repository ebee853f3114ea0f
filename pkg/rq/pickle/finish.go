package pickle

import (
	"errors"
	"fmt"
	"math"
	"math/big"

	"github.com/google/uuid"
)

// finished is a value in its final form, with what it amounts to where it is
// used: shared values are counted at each place, so that a few bytes that
// refer to one another cannot stand for gigabytes.
type finished struct {
	value  any
	size   int64 // values plus bytes of text
	height int   // containers inside one another, itself included
}

var errRecursive = errors.New("a value that contains itself")

// finisher turns the decoder's nodes into values, each node once.
type finisher struct {
	limits Limits
}

func (f *finisher) finish(v any, depth int) (finished, error) {
	n := nodeOf(v)
	if n == nil {
		return finished{value: v, size: 1 + textSize(v)}, nil
	}
	switch n.phase {
	case nodeDone:
		if depth+n.out.height > f.limits.MaxDepth {
			return finished{}, f.tooDeep()
		}
		return n.out, nil
	case nodeBusy:
		return finished{}, errRecursive
	}
	if depth >= f.limits.MaxDepth {
		return finished{}, f.tooDeep()
	}
	n.phase = nodeBusy
	sum := &total{f: f, depth: depth + 1, size: 1}
	value, err := sum.node(v)
	if err != nil {
		return finished{}, err
	}
	n.phase = nodeDone
	n.out = finished{value: value, size: sum.size, height: sum.height + 1}
	return n.out, nil
}

func (f *finisher) tooDeep() error {
	return fmt.Errorf("%w: more than %d containers inside one another", ErrLimit, f.limits.MaxDepth)
}

func nodeOf(v any) *node {
	switch v := v.(type) {
	case *listNode:
		return &v.node
	case *tupleNode:
		return &v.node
	case *setNode:
		return &v.node
	case *dictNode:
		return &v.node
	case *objectNode:
		return &v.node
	}
	return nil
}

func textSize(v any) int64 {
	switch v := v.(type) {
	case string:
		return int64(len(v))
	case []byte:
		return int64(len(v))
	case ByteArray:
		return int64(len(v))
	case Decimal:
		return int64(len(v))
	case *big.Int:
		return int64(v.BitLen() / 8)
	}
	return 0
}

// total adds up the parts of one container while it is finished.
type total struct {
	f      *finisher
	depth  int
	size   int64
	height int
}

func (t *total) part(v any) (any, error) {
	out, err := t.f.finish(v, t.depth)
	if err != nil {
		return nil, err
	}
	t.size += out.size
	t.height = max(t.height, out.height)
	if t.size > t.f.limits.MaxExpanded {
		return nil, fmt.Errorf("%w: more than %d values and bytes of text when written out", ErrLimit, t.f.limits.MaxExpanded)
	}
	return out.value, nil
}

func (t *total) parts(items []any) ([]any, error) {
	out := make([]any, len(items))
	for i, v := range items {
		var err error
		if out[i], err = t.part(v); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (t *total) node(v any) (any, error) {
	switch v := v.(type) {
	case *listNode:
		return t.parts(v.items)
	case *tupleNode:
		items, err := t.parts(v.items)
		return Tuple(items), err
	case *setNode:
		items, err := t.parts(v.items)
		if v.frozen {
			return FrozenSet(items), err
		}
		return Set(items), err
	case *dictNode:
		return t.dict(v.pairs)
	default:
		return t.object(v.(*objectNode))
	}
}

func (t *total) pairs(pairs []Pair) (Dict, error) {
	out := make(Dict, 0, len(pairs))
	for _, p := range pairs {
		k, err := t.part(p.Key)
		if err != nil {
			return nil, err
		}
		v, err := t.part(p.Value)
		if err != nil {
			return nil, err
		}
		out = append(out, Pair{k, v})
	}
	return out, nil
}

// dict keeps the place of a key's first occurrence and the value of its last.
func (t *total) dict(pairs []Pair) (any, error) {
	out, err := t.pairs(pairs)
	if err != nil {
		return nil, err
	}
	at := make(map[any]int, len(out))
	kept := out[:0]
	for _, p := range out {
		id, hashable, err := keyIdentity(p.Key)
		if err != nil {
			return nil, err
		}
		if i, again := at[id]; hashable && again {
			kept[i].Value = p.Value
			continue
		}
		if hashable {
			at[id] = len(kept)
		}
		kept = append(kept, p)
	}
	return kept, nil
}

type (
	intKey   string
	bytesKey string
)

// keyIdentity gives a comparable stand-in for a key, so that 1, 1.0 and True
// are one key as in Python. Tuples and objects as keys are kept as they come.
func keyIdentity(k any) (id any, hashable bool, err error) {
	switch k := k.(type) {
	case nil, string, int64, Decimal, uuid.UUID, Date, TimeOfDay, DateTime:
		return k, true, nil
	case bool:
		if k {
			return int64(1), true, nil
		}
		return int64(0), true, nil
	case float64:
		if i := int64(k); float64(i) == k && i != -1<<63 {
			return i, true, nil
		}
		return k, !math.IsNaN(k), nil
	case *big.Int:
		return intKey(k.String()), true, nil
	case []byte:
		return bytesKey(k), true, nil
	case []any, Dict, Set, ByteArray:
		return nil, false, errors.New("a dict key that cannot be one in Python")
	}
	return nil, false, nil
}

func (t *total) object(o *objectNode) (any, error) {
	out := Opaque{Global: o.global}
	if !o.called && o.state == nil && o.items == nil && o.pairs == nil {
		t.size += int64(len(o.global))
		return out, nil
	}
	var err error
	if out.Args, err = t.part(o.args); err != nil {
		return nil, err
	}
	if out.State, err = t.part(o.state); err != nil {
		return nil, err
	}
	if o.global == "uuid.UUID" {
		if id, ok := uuidFromState(out.State); ok {
			return id, nil
		}
	}
	if len(o.items) > 0 {
		if out.Items, err = t.parts(o.items); err != nil {
			return nil, err
		}
	}
	if len(o.pairs) > 0 {
		pairs, err := t.pairs(o.pairs)
		if err != nil {
			return nil, err
		}
		out.Pairs = pairs
	}
	t.size += int64(len(o.global))
	return out, nil
}

func uuidFromState(state any) (uuid.UUID, bool) {
	d, ok := state.(Dict)
	if !ok {
		return uuid.UUID{}, false
	}
	v, _ := d.Get("int")
	n, ok := v.(*big.Int)
	if i, small := v.(int64); small {
		n, ok = big.NewInt(i), true
	}
	if !ok || n.Sign() < 0 || n.BitLen() > 128 {
		return uuid.UUID{}, false
	}
	var id uuid.UUID
	n.FillBytes(id[:])
	return id, true
}
