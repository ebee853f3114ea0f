// Package pyjson reads and writes JSON the way Python's json module does by
// default: ", " and ": " as separators, ASCII only, NaN and infinities
// allowed, ints of any size apart from floats, and objects in their order.
// Values are those of package pickle; objects are pickle.Dict.
package pyjson

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/docsvc/docsvc/pkg/rq/pickle"
)

// maxDepth is of containers inside one another, for reading and writing.
const maxDepth = 256

var errDepth = fmt.Errorf("more than %d containers inside one another", maxDepth)

// Encode writes v as json.dumps(v) does. Tuples become arrays; maps with
// string keys are written in the order of their keys; keys that are int,
// float, bool or None become text. What json.dumps refuses (bytes, sets,
// dates and other objects) is an error.
func Encode(v any) ([]byte, error) {
	b, err := appendValue(nil, v, 0)
	if err != nil {
		return nil, fmt.Errorf("encoding JSON: %w", err)
	}
	return b, nil
}

func appendValue(b []byte, v any, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, errDepth
	}
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case *big.Int:
		return v.Append(b, 10), nil
	case string:
		return appendString(b, v)
	case pickle.Tuple:
		return appendItems(b, v, depth)
	case []any:
		return appendItems(b, v, depth)
	case pickle.Dict:
		return appendDict(b, v, depth)
	}
	return appendReflected(b, reflect.ValueOf(v), depth)
}

// appendReflected writes other Go types, but not those that stand for Python
// types that have no form in JSON.
func appendReflected(b []byte, v reflect.Value, depth int) ([]byte, error) {
	switch v.Interface().(type) {
	case []byte, pickle.ByteArray, pickle.Set, pickle.FrozenSet, pickle.Decimal:
		return nil, fmt.Errorf("a value of type %s has no form in JSON", v.Type())
	}
	switch v.Kind() {
	case reflect.Bool:
		return strconv.AppendBool(b, v.Bool()), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		// A duration is a timedelta in Python, not a number.
		if v.Type().PkgPath() == "time" {
			break
		}
		return strconv.AppendInt(b, v.Int(), 10), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strconv.AppendUint(b, v.Uint(), 10), nil
	case reflect.Float32, reflect.Float64:
		return append(b, floatText(v.Float())...), nil
	case reflect.String:
		return appendString(b, v.String())
	case reflect.Slice:
		items := make([]any, v.Len())
		for i := range items {
			items[i] = v.Index(i).Interface()
		}
		return appendItems(b, items, depth)
	case reflect.Map:
		if v.Type().Key().Kind() != reflect.String {
			break
		}
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return compare(a.String(), b.String()) })
		d := make(pickle.Dict, len(keys))
		for i, k := range keys {
			d[i] = pickle.Pair{Key: k.String(), Value: v.MapIndex(k).Interface()}
		}
		return appendDict(b, d, depth)
	}
	return nil, fmt.Errorf("a value of type %s has no form in JSON", v.Type())
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func floatText(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	return pickle.FloatText(f)
}

func appendItems(b []byte, items []any, depth int) ([]byte, error) {
	b = append(b, '[')
	for i, v := range items {
		if i > 0 {
			b = append(b, ", "...)
		}
		var err error
		if b, err = appendValue(b, v, depth+1); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

func appendDict(b []byte, d pickle.Dict, depth int) ([]byte, error) {
	b = append(b, '{')
	for i, p := range d {
		if i > 0 {
			b = append(b, ", "...)
		}
		key, err := keyText(p.Key)
		if err != nil {
			return nil, err
		}
		if b, err = appendString(b, key); err != nil {
			return nil, err
		}
		b = append(b, ": "...)
		if b, err = appendValue(b, p.Value, depth+1); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

func keyText(k any) (string, error) {
	switch k := k.(type) {
	case string:
		return k, nil
	case nil, bool, int, int64, *big.Int, float64:
		b, err := appendValue(nil, k, 0)
		return string(b), err
	}
	return "", fmt.Errorf("an object key of type %T has no form in JSON", k)
}

const hexDigits = "0123456789abcdef"

func appendString(b []byte, s string) ([]byte, error) {
	b = append(b, '"')
	for s != "" {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 {
			lone, ok := pickle.Surrogate(s)
			if !ok {
				return nil, errors.New("text that is not UTF-8")
			}
			r, n = lone, 3
		}
		s = s[n:]
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r >= ' ' && r < 0x7f:
			b = append(b, byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r == '\t':
			b = append(b, `\t`...)
		case r == '\b':
			b = append(b, `\b`...)
		case r == '\f':
			b = append(b, `\f`...)
		case r > 0xffff:
			r -= 0x10000
			b = appendUnit(appendUnit(b, 0xd800+r>>10), 0xdc00+r&0x3ff)
		default:
			b = appendUnit(b, r)
		}
	}
	return append(b, '"'), nil
}

func appendUnit(b []byte, u rune) []byte {
	return append(b, '\\', 'u', hexDigits[u>>12&15], hexDigits[u>>8&15], hexDigits[u>>4&15], hexDigits[u&15])
}
