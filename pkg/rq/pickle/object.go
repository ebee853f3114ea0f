package pickle

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// objectOp handles classes, their instances and their calls. A class is only
// a name here; of the calls, construct knows a few, and the rest stay data.
func (d *decoder) objectOp(op byte) (bool, error) {
	switch op {
	case opGlobal, opInst:
		return true, d.lineGlobal(op)
	case opStackGlobal:
		name, err := d.popStr()
		if err != nil {
			return true, err
		}
		module, err := d.popStr()
		if err != nil {
			return true, err
		}
		return true, d.push(newClass(module, name))
	case opExt1, opExt2, opExt4:
		n, err := d.uint(map[byte]int{opExt1: 1, opExt2: 2, opExt4: 4}[op])
		if err != nil {
			return true, err
		}
		return true, d.push(newClass("copyreg", fmt.Sprintf("extension %d", n)))
	case opReduce, opNewObj:
		return true, d.call(op)
	case opNewObjEx:
		return true, d.newObjEx()
	case opObj:
		items, err := d.popMark()
		if err != nil {
			return true, err
		}
		if len(items) == 0 {
			return true, errStack
		}
		return true, d.push(instance(items[0], &tupleNode{items: items[1:]}))
	case opBuild:
		return true, d.build()
	case opPersID, opBinPersID:
		return true, d.persistent(op)
	case opNextBuffer, opReadOnlyBuffer:
		return true, errors.New("the value keeps its data in buffers outside the pickle")
	}
	return false, nil
}

func newClass(module, name string) *objectNode {
	// Protocols 0 to 2 use the module names of Python 2.
	switch module {
	case "__builtin__":
		module = "builtins"
	case "copy_reg":
		module = "copyreg"
	}
	return &objectNode{global: module + "." + name}
}

func (d *decoder) lineGlobal(op byte) error {
	module, err := d.line()
	if err != nil {
		return err
	}
	name, err := d.line()
	if err != nil {
		return err
	}
	if !validText(module) || !validText(name) {
		return errors.New("a class name that is not UTF-8")
	}
	class := newClass(module, name)
	if op == opGlobal {
		return d.push(class)
	}
	items, err := d.popMark()
	if err != nil {
		return err
	}
	return d.push(instance(class, &tupleNode{items: items}))
}

func (d *decoder) popStr() (string, error) {
	v, err := d.pop()
	if err != nil {
		return "", err
	}
	s, ok := v.(string)
	if !ok {
		return "", fmt.Errorf("a class named by a %s", describe(v))
	}
	return s, nil
}

// call handles REDUCE and NEWOBJ: a class or function and its arguments.
func (d *decoder) call(op byte) error {
	args, err := d.pop()
	if err != nil {
		return err
	}
	callee, err := d.pop()
	if err != nil {
		return err
	}
	if class, ok := callee.(*objectNode); ok && op == opReduce && !class.called {
		if v, ok := construct(class.global, args); ok {
			return d.push(v)
		}
	}
	return d.push(instance(callee, args))
}

func (d *decoder) newObjEx() error {
	kwargs, err := d.pop()
	if err != nil {
		return err
	}
	args, err := d.pop()
	if err != nil {
		return err
	}
	class, err := d.pop()
	if err != nil {
		return err
	}
	return d.push(instance(class, &tupleNode{items: []any{args, kwargs}}))
}

func instance(class, args any) *objectNode {
	o := &objectNode{global: "?", called: true, args: args}
	if c, ok := class.(*objectNode); ok {
		o.global = c.global
		if c.called {
			o.global += "()" // an instance called in its turn
		}
	}
	return o
}

func (d *decoder) build() error {
	state, err := d.pop()
	if err != nil {
		return err
	}
	target, err := d.top()
	if err != nil {
		return err
	}
	o, ok := target.(*objectNode)
	if !ok {
		return fmt.Errorf("setting the state of a %s", describe(target))
	}
	o.state = state
	return nil
}

func (d *decoder) persistent(op byte) error {
	var id any
	var err error
	if op == opPersID {
		var line string
		if line, err = d.line(); err == nil && !validText(line) {
			err = errors.New("a persistent id that is not UTF-8")
		}
		id = line
	} else {
		id, err = d.pop()
	}
	if err != nil {
		return err
	}
	return d.push(&objectNode{global: "persistent id", called: true, args: id})
}

// construct builds the few calls that plain data needs. It reports false for
// any other, and for arguments that Python itself would not have written.
func construct(global string, args any) (any, bool) {
	t, ok := args.(*tupleNode)
	if !ok {
		return nil, false
	}
	a := t.items
	switch global {
	case "datetime.datetime":
		return newDateTime(a)
	case "datetime.date":
		return newDate(a)
	case "datetime.time":
		return newTimeOfDay(a)
	case "datetime.timedelta":
		return newTimeDelta(a)
	case "datetime.timezone":
		return newTimeZone(a)
	case "decimal.Decimal":
		if s, ok := one[string](a); ok && validDecimal(s) {
			return Decimal(s), true
		}
	case "builtins.set", "builtins.frozenset":
		if len(a) == 0 {
			return &setNode{frozen: strings.HasSuffix(global, "frozenset")}, true
		}
		if l, ok := one[*listNode](a); ok {
			return &setNode{items: slices.Clone(l.items), frozen: strings.HasSuffix(global, "frozenset")}, true
		}
	case "builtins.bytes", "builtins.bytearray", "_codecs.encode":
		return newBytes(global, a)
	case "copyreg._reconstructor":
		// Protocols 0 and 1: (class, object, None) is a new instance of class.
		if len(a) == 3 {
			if c, ok := a[0].(*objectNode); ok && !c.called {
				return instance(c, &tupleNode{}), true
			}
		}
	}
	return nil, false
}

func one[T any](args []any) (T, bool) {
	if len(args) != 1 {
		var zero T
		return zero, false
	}
	v, ok := args[0].(T)
	return v, ok
}

// newBytes builds bytes as protocols 0 to 2 write them, latin-1 text to be
// encoded, and bytearrays as protocols 0 to 4 do.
func newBytes(global string, a []any) (any, bool) {
	var b []byte
	switch {
	case len(a) == 0 && global != "_codecs.encode":
		b = []byte{}
	case len(a) == 1:
		raw, ok := a[0].([]byte)
		if !ok {
			return nil, false
		}
		b = slices.Clone(raw)
	case len(a) == 2 && global != "builtins.bytes" && (a[1] == "latin1" || a[1] == "latin-1"):
		s, ok := a[0].(string)
		if !ok {
			return nil, false
		}
		if b, ok = latin1(s); !ok {
			return nil, false
		}
	default:
		return nil, false
	}
	if global == "builtins.bytearray" {
		return ByteArray(b), true
	}
	return b, global == "builtins.bytes" || len(a) == 2
}

func latin1(s string) ([]byte, bool) {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xff {
			return nil, false
		}
		b = append(b, byte(r))
	}
	return b, true
}

// validDecimal accepts what decimal.Decimal prints: a number in decimal or
// scientific notation, or Infinity, NaN and sNaN with payloads.
func validDecimal(s string) bool {
	t := strings.TrimPrefix(s, "-")
	if t == "Infinity" {
		return true
	}
	if rest, ok := strings.CutPrefix(strings.TrimPrefix(t, "s"), "NaN"); ok {
		return strings.Trim(rest, "0123456789") == ""
	}
	mantissa, exponent, scientific := strings.Cut(t, "E")
	if scientific {
		e := strings.TrimLeft(exponent, "+-")
		if e == "" || len(exponent)-len(e) > 1 || strings.Trim(e, "0123456789") != "" {
			return false
		}
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	return whole+fraction != "" && strings.Trim(whole+fraction, "0123456789") == ""
}
