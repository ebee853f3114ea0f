package pickle

import "fmt"

// node is what containers have in common while a pickle is read: they can be
// shared and extended, and are finished once.
type node struct {
	phase nodePhase
	out   finished
}

type nodePhase uint8

const (
	nodeOpen nodePhase = iota
	nodeBusy           // being finished: meeting it again means it contains itself
	nodeDone
)

type listNode struct {
	node
	items []any
}

type tupleNode struct {
	node
	items []any
}

type setNode struct {
	node
	items  []any
	frozen bool
}

type dictNode struct {
	node
	pairs []Pair
}

// objectNode is an instance of a class, or the class while called is false.
type objectNode struct {
	node
	global string
	called bool
	args   any
	state  any // set by BUILD
	items  []any
	pairs  []Pair
}

// containerOp handles lists, tuples, dicts and sets.
func (d *decoder) containerOp(op byte) (bool, error) {
	switch op {
	case opEmptyTuple:
		return true, d.push(&tupleNode{})
	case opTuple1, opTuple2, opTuple3:
		return true, d.pushSmallTuple(int(op-opTuple1) + 1)
	case opEmptyList:
		return true, d.push(&listNode{})
	case opEmptyDict:
		return true, d.push(&dictNode{})
	case opEmptySet:
		return true, d.push(&setNode{})
	case opTuple, opList, opDict, opFrozenSet, opAppends, opSetItems, opAddItems:
		items, err := d.popMark()
		if err != nil {
			return true, err
		}
		return true, d.fromMark(op, items)
	case opAppend:
		v, err := d.pop()
		if err != nil {
			return true, err
		}
		return true, d.extend([]any{v})
	case opSetItem:
		v, err := d.pop()
		if err != nil {
			return true, err
		}
		k, err := d.pop()
		if err != nil {
			return true, err
		}
		return true, d.setItems([]any{k, v})
	}
	return false, nil
}

func (d *decoder) pushSmallTuple(n int) error {
	at := len(d.stack) - n
	if at < d.floor() {
		return errStack
	}
	items := append([]any(nil), d.stack[at:]...)
	d.stack = d.stack[:at]
	return d.push(&tupleNode{items: items})
}

func (d *decoder) fromMark(op byte, items []any) error {
	switch op {
	case opTuple:
		return d.push(&tupleNode{items: items})
	case opList:
		return d.push(&listNode{items: items})
	case opFrozenSet:
		return d.push(&setNode{items: items, frozen: true})
	case opDict:
		if err := d.push(&dictNode{}); err != nil {
			return err
		}
		return d.setItems(items)
	case opAppends:
		return d.extend(items)
	case opSetItems:
		return d.setItems(items)
	default:
		return d.addItems(items)
	}
}

func (d *decoder) extend(items []any) error {
	target, err := d.top()
	if err != nil {
		return err
	}
	switch t := target.(type) {
	case *listNode:
		t.items = append(t.items, items...)
	case *objectNode:
		t.items = append(t.items, items...)
	default:
		return fmt.Errorf("appending to a %s", describe(target))
	}
	return nil
}

func (d *decoder) addItems(items []any) error {
	target, err := d.top()
	if err != nil {
		return err
	}
	switch t := target.(type) {
	case *setNode:
		t.items = append(t.items, items...)
	case *objectNode:
		t.items = append(t.items, items...)
	default:
		return fmt.Errorf("adding to a %s", describe(target))
	}
	return nil
}

func (d *decoder) setItems(items []any) error {
	if len(items)%2 != 0 {
		return fmt.Errorf("a key without a value")
	}
	target, err := d.top()
	if err != nil {
		return err
	}
	var into *[]Pair
	switch t := target.(type) {
	case *dictNode:
		into = &t.pairs
	case *objectNode:
		into = &t.pairs
	default:
		return fmt.Errorf("setting an entry of a %s", describe(target))
	}
	for i := 0; i < len(items); i += 2 {
		*into = append(*into, Pair{items[i], items[i+1]})
	}
	return nil
}

// describe names a stack value for messages.
func describe(v any) string {
	switch v.(type) {
	case *listNode:
		return "list"
	case *tupleNode:
		return "tuple"
	case *setNode:
		return "set"
	case *dictNode:
		return "dict"
	case *objectNode:
		return "object"
	}
	return fmt.Sprintf("%T", v)
}
