package httpapi

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/docsvc/docsvc/pkg/rq/pickle"
)

// What of a job's arguments, meta or result is shown. A value comes from
// whoever can write to Redis and may have any size and shape.
const (
	plainDepth  = 8         // nested lists and dicts
	plainItems  = 200       // of one list or dict
	plainText   = 8 << 10   // bytes of one text
	plainBudget = 256 << 10 // bytes in all, about
	plainCost   = 16        // bytes that a value counts for beside its text
)

// plain turns a value out of a pickle or JSON into one that JSON can carry.
// What Python has and JSON hasn't is shown as Python's repr would, an object
// of an unknown class as text. What is too large is cut and says so.
func plain(v any) any {
	p := plainer{left: plainBudget}
	return p.value(v, 0)
}

// plainArgs is plain for arguments: always a list.
func plainArgs(args []any) []any {
	p := plainer{left: plainBudget}
	return p.list(args, 0)
}

// plainMap is plain for keyword arguments and meta: always an object.
func plainMap(m map[string]any) map[string]any {
	p := plainer{left: plainBudget}
	out := map[string]any{}
	for k, v := range m {
		if len(out) == plainItems {
			out["…"] = fmt.Sprintf("%d more", len(m)-plainItems)
			break
		}
		out[p.text(k)] = p.value(v, 1)
	}
	return out
}

// plainer counts the bytes that may still be shown.
type plainer struct{ left int }

// text cuts s and counts it.
func (p *plainer) text(s string) string {
	s = cut(s)
	p.left -= len(s)
	return s
}

func (p *plainer) value(v any, depth int) any {
	if p.left -= plainCost; p.left < 0 || depth > plainDepth {
		return "…"
	}
	switch v := v.(type) {
	case nil, bool, int, int64:
		return v
	case string:
		return p.text(v)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return pickle.Repr(v)
		}
		return v
	case json.Number:
		return p.text(v.String())
	case *big.Int:
		return bigInt(v)
	case []byte:
		return p.text(bytesText(v))
	case pickle.ByteArray:
		return p.text(bytesText(v))
	case []any:
		return p.list(v, depth)
	case pickle.Tuple:
		return p.list(v, depth)
	case pickle.Set:
		return p.list(v, depth)
	case pickle.FrozenSet:
		return p.list(v, depth)
	case pickle.Dict:
		return p.dict(v, depth)
	case map[string]any:
		return p.object(v, depth)
	}
	return p.scalar(v)
}

// scalar shows Python's other types as the text that people expect.
func (p *plainer) scalar(v any) any {
	switch v := v.(type) {
	case time.Time:
		return v.Format(time.RFC3339Nano)
	case time.Duration:
		return v.Seconds()
	case pickle.Decimal:
		return p.text(string(v))
	case pickle.Opaque:
		return "<" + p.text(v.Global) + " object>"
	case fmt.Stringer:
		return p.text(v.String())
	}
	return p.text(pickle.Repr(v))
}

func (p *plainer) list(items []any, depth int) []any {
	out := make([]any, 0, min(len(items), plainItems))
	for i, item := range items {
		if i == plainItems || p.left <= 0 {
			return append(out, fmt.Sprintf("… %d more", len(items)-i))
		}
		out = append(out, p.value(item, depth+1))
	}
	return out
}

// dict becomes an object; a key that isn't text is shown as Python's repr.
func (p *plainer) dict(d pickle.Dict, depth int) map[string]any {
	out := make(map[string]any, min(len(d), plainItems))
	for i, pair := range d {
		if i == plainItems || p.left <= 0 {
			out["…"] = fmt.Sprintf("%d more", len(d)-i)
			break
		}
		key, ok := pair.Key.(string)
		if !ok {
			key = pickle.Repr(pair.Key)
		}
		out[p.text(key)] = p.value(pair.Value, depth+1)
	}
	return out
}

func (p *plainer) object(m map[string]any, depth int) map[string]any {
	d := make(pickle.Dict, 0, len(m))
	for k, v := range m {
		d = append(d, pickle.Pair{Key: k, Value: v})
	}
	return p.dict(d, depth)
}

// bigInt is a JSON number while a reader may be expected to cope.
func bigInt(i *big.Int) any {
	if i.BitLen() > 1024 {
		return fmt.Sprintf("an integer of %d bits", i.BitLen())
	}
	return json.Number(i.String())
}

func bytesText(b []byte) string {
	if utf8.Valid(b) && !strings.ContainsRune(string(b), 0) {
		return string(b)
	}
	return fmt.Sprintf("<%d bytes>", len(b))
}

// errorText bounds a traceback. Its end says what happened, its beginning
// where.
func errorText(s string) string {
	const head, tail = 4 << 10, 12 << 10
	if len(s) <= head+tail {
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	return strings.ToValidUTF8(fmt.Sprintf("%s\n… (%d bytes left out)\n%s", s[:head], len(s)-head-tail, s[len(s)-tail:]), "\uFFFD")
}

// cut bounds a text and makes it valid UTF-8: Python may have stored lone
// surrogates.
func cut(s string) string {
	if len(s) > plainText {
		return strings.ToValidUTF8(s[:plainText], "\uFFFD") + fmt.Sprintf("… (%d bytes more)", len(s)-plainText)
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
