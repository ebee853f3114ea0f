package pickle

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Repr returns what Python's repr() prints for v. An Opaque object is printed
// as <module.Class object>, and ints of over 4300 digits, which Python refuses
// to print, by their size.
func Repr(v any) string {
	var b strings.Builder
	appendRepr(&b, v, 0)
	return b.String()
}

// maxReprDepth stops at values that contain themselves, which only Go code
// can build.
const maxReprDepth = 1000

func appendRepr(b *strings.Builder, v any, depth int) {
	if depth > maxReprDepth {
		b.WriteString("...")
		return
	}
	switch v := v.(type) {
	case nil:
		b.WriteString("None")
	case bool:
		if v {
			b.WriteString("True")
		} else {
			b.WriteString("False")
		}
	case *big.Int:
		if v.BitLen() > maxIntDigits*10/3 {
			fmt.Fprintf(b, "<int of %d bits>", v.BitLen())
		} else {
			b.WriteString(v.String())
		}
	case float32:
		b.WriteString(FloatText(float64(v)))
	case float64:
		b.WriteString(FloatText(v))
	case string:
		appendStr(b, v)
	case []byte:
		appendBytes(b, v)
	case ByteArray:
		b.WriteString("bytearray(")
		appendBytes(b, v)
		b.WriteByte(')')
	case Decimal:
		fmt.Fprintf(b, "Decimal('%s')", string(v))
	case uuid.UUID:
		fmt.Fprintf(b, "UUID('%s')", v)
	case Opaque:
		if v.Args == nil && v.State == nil && v.Items == nil && v.Pairs == nil {
			fmt.Fprintf(b, "<class '%s'>", v.Global)
		} else {
			fmt.Fprintf(b, "<%s object>", v.Global)
		}
	case time.Time, DateTime, Date, TimeOfDay, time.Duration, *time.Location:
		b.WriteString(dateRepr(v))
	default:
		reprContainer(b, v, depth)
	}
}

func reprContainer(b *strings.Builder, v any, depth int) {
	switch v := v.(type) {
	case Tuple:
		end := ")"
		if len(v) == 1 {
			end = ",)"
		}
		appendItems(b, "(", v, end, depth)
	case []any:
		appendItems(b, "[", v, "]", depth)
	case Set:
		if len(v) == 0 {
			b.WriteString("set()")
			return
		}
		appendItems(b, "{", v, "}", depth)
	case FrozenSet:
		if len(v) == 0 {
			b.WriteString("frozenset()")
			return
		}
		appendItems(b, "frozenset({", v, "})", depth)
	case Dict:
		b.WriteByte('{')
		for i, p := range v {
			if i > 0 {
				b.WriteString(", ")
			}
			appendRepr(b, p.Key, depth+1)
			b.WriteString(": ")
			appendRepr(b, p.Value, depth+1)
		}
		b.WriteByte('}')
	case map[string]any:
		appendRepr(b, sortedDict(v), depth)
	default:
		basic, err := reflected(v)
		switch basic.(type) {
		case int64, uint64:
			fmt.Fprint(b, basic)
		default:
			if err != nil {
				fmt.Fprintf(b, "<%T object>", v)
				return
			}
			appendRepr(b, basic, depth)
		}
	}
}

func appendItems(b *strings.Builder, open string, items []any, end string, depth int) {
	b.WriteString(open)
	for i, v := range items {
		if i > 0 {
			b.WriteString(", ")
		}
		appendRepr(b, v, depth+1)
	}
	b.WriteString(end)
}

// FloatText returns a float as Python prints it: the shortest digits that
// read back the same, with an exponent below 1e-4 and from 1e16 on.
func FloatText(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// quoteFor chooses double quotes only for text that holds single ones alone.
func quoteFor(s string) byte {
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		return '"'
	}
	return '\''
}

func appendStr(b *strings.Builder, s string) {
	quote := quoteFor(s)
	b.WriteByte(quote)
	for s != "" {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 {
			if lone, ok := Surrogate(s); ok {
				r, n = lone, 3
			} else {
				r = rune(s[0])
			}
		}
		s = s[n:]
		switch {
		case r == rune(quote) || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n', r == '\r', r == '\t':
			b.WriteString(map[rune]string{'\n': `\n`, '\r': `\r`, '\t': `\t`}[r])
		case r >= 0xd800 && r < 0xe000:
			fmt.Fprintf(b, `\u%04x`, r)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r <= 0xff:
			fmt.Fprintf(b, `\x%02x`, r)
		case r <= 0xffff:
			fmt.Fprintf(b, `\u%04x`, r)
		default:
			fmt.Fprintf(b, `\U%08x`, r)
		}
	}
	b.WriteByte(quote)
}

func appendBytes(b *strings.Builder, data []byte) {
	quote := quoteFor(string(data))
	b.WriteByte('b')
	b.WriteByte(quote)
	for _, c := range data {
		switch {
		case c == quote || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c == '\n', c == '\r', c == '\t':
			b.WriteString(map[byte]string{'\n': `\n`, '\r': `\r`, '\t': `\t`}[c])
		case c < ' ' || c >= 0x7f:
			fmt.Fprintf(b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte(quote)
}

func dateRepr(v any) string {
	call := func(name string, args []string) string {
		return "datetime." + name + "(" + strings.Join(args, ", ") + ")"
	}
	switch v := v.(type) {
	case Date:
		return call("date", numbers(v.Year, int(v.Month), v.Day))
	case TimeOfDay:
		return call("time", v.reprArgs())
	case DateTime:
		return call("datetime", append(numbers(v.Year, int(v.Month), v.Day), v.TimeOfDay.reprArgs()...))
	case time.Time:
		d := split(v)
		offset, name := zone(v)
		args := append(numbers(d.Year, int(d.Month), d.Day), d.TimeOfDay.reprArgs()...)
		return call("datetime", append(args, "tzinfo="+zoneRepr(fixedZone{offset, name})))
	case *time.Location:
		return zoneRepr(zoneOf(v))
	case time.Duration:
		days, seconds, us := normalDelta(v)
		var args []string
		for _, part := range []struct {
			name string
			n    int64
		}{{"days", days}, {"seconds", seconds}, {"microseconds", us}} {
			if part.n != 0 {
				args = append(args, fmt.Sprintf("%s=%d", part.name, part.n))
			}
		}
		if args == nil {
			args = []string{"0"}
		}
		return call("timedelta", args)
	}
	return ""
}

func (t TimeOfDay) reprArgs() []string {
	args := numbers(t.Hour, t.Minute, t.Second, t.Microsecond)
	// Seconds and microseconds are left out from the end while they are 0.
	for len(args) > 2 && args[len(args)-1] == "0" {
		args = slices.Delete(args, len(args)-1, len(args))
	}
	if t.Fold {
		args = append(args, "fold=1")
	}
	return args
}

func zoneRepr(z fixedZone) string {
	if z.offset == 0 && z.name == "" {
		return "datetime.timezone.utc"
	}
	s := "datetime.timezone(" + dateRepr(z.offset)
	if z.name != "" {
		s += ", " + Repr(z.name)
	}
	return s + ")"
}

func numbers(n ...int) []string {
	out := make([]string, len(n))
	for i, v := range n {
		out[i] = strconv.Itoa(v)
	}
	return out
}
