package pickle

import (
	"fmt"
	"math"
	"time"
	"unicode/utf8"
)

// Plain returns v as values that encoding/json writes and people can read:
// dicts as maps (keys that are no str by their repr), tuples and sets as
// lists, dates in ISO 8601, timedeltas in seconds, decimals and UUIDs as text,
// NaN, infinities, bytes and objects by their repr.
func Plain(v any) any {
	switch v := v.(type) {
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return FloatText(v)
		}
	case string:
		if !utf8.ValidString(v) {
			return Repr(v)
		}
	case []byte, ByteArray, Opaque, *time.Location:
		return Repr(v)
	case Decimal:
		return string(v)
	case time.Duration:
		return v.Seconds()
	case Date:
		return fmt.Sprintf("%04d-%02d-%02d", v.Year, v.Month, v.Day)
	case TimeOfDay:
		return v.iso()
	case DateTime:
		return Plain(v.Date).(string) + "T" + v.TimeOfDay.iso()
	case []any:
		return plainItems(v)
	case Tuple:
		return plainItems(v)
	case Set:
		return plainItems(v)
	case FrozenSet:
		return plainItems(v)
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, item := range v {
			out[k] = Plain(item)
		}
		return out
	case Dict:
		out := make(map[string]any, len(v))
		for _, p := range v {
			k, ok := p.Key.(string)
			if !ok || !utf8.ValidString(k) {
				k = Repr(p.Key)
			}
			out[k] = Plain(p.Value)
		}
		return out
	}
	return v
}

func plainItems(items []any) []any {
	out := make([]any, len(items))
	for i, v := range items {
		out[i] = Plain(v)
	}
	return out
}

func (t TimeOfDay) iso() string {
	s := fmt.Sprintf("%02d:%02d:%02d", t.Hour, t.Minute, t.Second)
	if t.Microsecond != 0 {
		s += fmt.Sprintf(".%06d", t.Microsecond)
	}
	return s
}
