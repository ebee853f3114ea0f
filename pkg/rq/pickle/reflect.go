package pickle

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// reflected turns a Go value of another type into the one that stands for it:
// int64, uint64, float64, string, []any, or a map with string keys.
func reflected(value any) (any, error) {
	v := reflect.ValueOf(value)
	switch v.Kind() {
	case reflect.Bool:
		return v.Bool(), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int(), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return v.Uint(), nil
	case reflect.Float32, reflect.Float64:
		return v.Float(), nil
	case reflect.String:
		return v.String(), nil
	case reflect.Slice, reflect.Array:
		items := make([]any, v.Len())
		for i := range items {
			items[i] = v.Index(i).Interface()
		}
		return items, nil
	case reflect.Map:
		if v.Type().Key().Kind() == reflect.String {
			m := make(map[string]any, v.Len())
			for iter := v.MapRange(); iter.Next(); {
				m[iter.Key().String()] = iter.Value().Interface()
			}
			return m, nil
		}
	case reflect.Pointer:
		if v.IsNil() {
			return nil, nil
		}
	}
	return nil, fmt.Errorf("a Go value of type %T has no form in Python", value)
}

func sortedDict(m map[string]any) Dict {
	d := make(Dict, 0, len(m))
	for k, v := range m {
		d = append(d, Pair{k, v})
	}
	slices.SortFunc(d, func(a, b Pair) int { return strings.Compare(a.Key.(string), b.Key.(string)) })
	return d
}
