package pyliteral

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/docsvc/docsvc/pkg/rq/pickle"
)

// braces reads a dict or a set; {} is a dict.
func (p *parser) braces() (any, error) {
	p.space()
	if p.accept('}') {
		return pickle.Dict{}, nil
	}
	first, err := p.value()
	if err != nil {
		return nil, err
	}
	p.space()
	if p.accept(':') {
		return p.dict(first)
	}
	set, seen := pickle.Set{}, map[string]bool{}
	add := func(v any) error {
		id, err := identity(v)
		if err == nil && !seen[id] { // of equal values the first one stays
			seen[id], set = true, append(set, v)
		}
		return err
	}
	if err := add(first); err != nil {
		return nil, err
	}
	for {
		p.space()
		if p.accept('}') {
			return set, nil
		}
		if !p.accept(',') {
			return nil, errSyntax
		}
		p.space()
		if p.accept('}') {
			return set, nil
		}
		v, err := p.value()
		if err == nil {
			err = add(v)
		}
		if err != nil {
			return nil, err
		}
	}
}

// dict reads the rest of a dict after its first key and colon. Of equal keys
// the first is kept with the last value.
func (p *parser) dict(key any) (any, error) {
	d, at := pickle.Dict{}, map[string]int{}
	for {
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		id, err := identity(key)
		if err != nil {
			return nil, err
		}
		if i, ok := at[id]; ok {
			d[i].Value = v
		} else {
			at[id], d = len(d), append(d, pickle.Pair{Key: key, Value: v})
		}
		p.space()
		comma := p.accept(',')
		p.space()
		if p.accept('}') {
			return d, nil
		}
		if !comma {
			return nil, errSyntax
		}
		if key, err = p.value(); err != nil {
			return nil, err
		}
		p.space()
		if !p.accept(':') {
			return nil, errSyntax
		}
	}
}

// identity is the same text for values that Python takes for one key: True, 1
// and 1.0 are.
func identity(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "None", nil
	case bool:
		if v {
			return "n1", nil
		}
		return "n0", nil
	case int64:
		return "n" + strconv.FormatInt(v, 10), nil
	case *big.Int:
		return "n" + v.String(), nil
	case float64:
		if math.Trunc(v) == v && !math.IsInf(v, 0) {
			whole, _ := big.NewFloat(v).Int(nil)
			return "n" + whole.String(), nil
		}
		return "f" + strconv.FormatFloat(v, 'g', -1, 64), nil
	case string:
		return "s" + strconv.Itoa(len(v)) + ":" + v, nil
	case []byte:
		return "b" + strconv.Itoa(len(v)) + ":" + string(v), nil
	case pickle.Tuple:
		parts := make([]string, len(v))
		for i, x := range v {
			var err error
			if parts[i], err = identity(x); err != nil {
				return "", err
			}
		}
		return "(" + strings.Join(parts, ",") + ")", nil
	}
	return "", fmt.Errorf("unhashable: %s", pickle.Repr(v))
}
