package pickle

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// dumper answers a list of Python expressions with their pickles in every
// protocol and their repr.
const dumper = `
import datetime, json, math, pickle, sys
from decimal import Decimal
from uuid import UUID
inf, nan = math.inf, math.nan
class Unknown:
    def __init__(self, x): self.x = x
out = []
for text in json.load(sys.stdin):
    v = eval(text)
    out.append({"pickles": [pickle.dumps(v, p).hex() for p in range(6)], "repr": repr(v)})
json.dump(out, sys.stdout)
`

// loader reads pickles and answers with their repr and what it would have
// written itself.
const loader = `
import datetime, json, pickle, sys
out = []
for text in json.load(sys.stdin):
    v = pickle.loads(bytes.fromhex(text))
    out.append({"pickles": [pickle.dumps(v, 5).hex()], "repr": repr(v)})
json.dump(out, sys.stdout)
`

type answer struct {
	Pickles []string `json:"pickles"`
	Repr    string   `json:"repr"`
}

// python runs a script with JSON on both sides. Only the standard library is
// used, so any python3 from 3.8 on will do; without one the golden bytes are
// all there is to compare with.
func python(t *testing.T, script string, in []string) []answer {
	t.Helper()
	bin, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 on PATH: compared with stored pickles only")
	}
	stdin, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), bin, "-I", "-c", script)
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(stdin), &stderr
	stdout, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", bin, err, stderr.String())
	}
	var out []answer
	if err := json.Unmarshal(stdout, &out); err != nil {
		t.Fatal(err)
	}
	if len(out) != len(in) {
		t.Fatalf("%d answers to %d questions", len(out), len(in))
	}
	return out
}

func ints(n int) []any {
	out := make([]any, n)
	for i := range out {
		out[i] = int64(i)
	}
	return out
}

func texts(n int) []any {
	out := make([]any, n)
	for i := range out {
		out[i] = fmt.Sprintf("text %d", i)
	}
	return out
}

func numbered(n int) Dict {
	d := make(Dict, n)
	for i := range d {
		d[i] = Pair{int64(i), nil}
	}
	return d
}

func nested(n int) any {
	v := []any{}
	for range n {
		v = []any{v}
	}
	return v
}

// more are values too long to store as bytes, and corners of the format.
var more = []struct {
	python string
	value  any
}{
	{"list(range(999))", ints(999)},
	{"list(range(1000))", ints(1000)},
	{"list(range(1001))", ints(1001)},
	{"list(range(2000))", ints(2000)},
	{"{i: None for i in range(999)}", numbered(999)},
	{"{i: None for i in range(1000)}", numbered(1000)},
	{"{i: None for i in range(1001)}", numbered(1001)},
	{"{i: None for i in range(2000)}", numbered(2000)},
	{"set(range(1000))", Set(ints(1000))},
	{"set(range(1001))", Set(ints(1001))},
	{"frozenset()", FrozenSet{}},
	{"frozenset(range(1001))", FrozenSet(ints(1001))},
	{"[f'text {i}' for i in range(300)] * 2", append(texts(300), texts(300)...)},
	{"tuple(f'text {i}' for i in range(20000))", Tuple(texts(20000))},
	{"'x' * 65535", strings.Repeat("x", 65535)},
	{"'x' * 65536", strings.Repeat("x", 65536)},
	{"['a', 'x' * 65536, 'b', b'y' * 70000, bytearray(b'z' * 70000), 1]", []any{"a", strings.Repeat("x", 65536), "b",
		[]byte(strings.Repeat("y", 70000)), ByteArray(strings.Repeat("z", 70000)), int64(1)}},
	{"['x' * 40000, 'y' * 40000, 'z' * 40000]", []any{strings.Repeat("x", 40000), strings.Repeat("y", 40000), strings.Repeat("z", 40000)}},
	{"['x' * 65510, UUID(int=5), datetime.date(1, 1, 1), UUID(int=6)]", []any{strings.Repeat("x", 65510),
		uuid.UUID{15: 5}, Date{1, 1, 1}, uuid.UUID{15: 6}}},
	{"-128", int64(-128)}, {"-2**31", int64(math.MinInt32)}, {"-2**63", int64(math.MinInt64)}, {"-2**63-1", bigInt("-9223372036854775809")},
	{"2**2039", bigInt("1").Lsh(bigInt("1"), 2039)}, {"-2**2039", bigInt("1").Neg(bigInt("1").Lsh(bigInt("1"), 2039))},
	{"2**2047", bigInt("1").Lsh(bigInt("1"), 2047)}, {"-(2**71)", bigInt("-2361183241434822606848")},
	{"-0.0", math.Copysign(0, -1)}, {"1e16", 1e16}, {"9999999999999998.0", 9999999999999998.0}, {"1e-05", 1e-5}, {"0.0001", 0.0001},
	{"5e-324", 5e-324}, {"1.7976931348623157e+308", math.MaxFloat64}, {"-inf", math.Inf(-1)}, {"100.0", 100.0}, {"123456.789e3", 123456789.0},
	{`"it's"`, "it's"}, {`'say "it\'s"'`, `say "it's"`}, {`'tab\t nl\n cr\r bs\\ nul\0 del\x7f nbsp\xa0 shy\xad'`, "tab\t nl\n cr\r bs\\ nul\x00 del\x7f nbsp\u00a0 shy\u00ad"},
	{`'\u2028\ue000\U0001f600\U000e0001 \u3000 é 漢'`, "\u2028\ue000\U0001f600\U000e0001 \u3000 é 漢"},
	{`['\udcff', '\\u0041', '\\\\u0041']`, []any{"\xed\xb3\xbf", `\u0041`, `\\u0041`}},
	{`b"it's \x00\xff\t\\"`, []byte("it's \x00\xff\t\\")}, {`[b'', b'', b'a', b'a', b'ab']`, []any{[]byte{}, []byte{}, []byte("a"), []byte("a"), []byte("ab")}},
	{"[datetime.datetime(2020, 1, 2, 3, 4, tzinfo=datetime.timezone.utc), datetime.datetime(2021, 12, 31, 23, 59, 59, 999999, tzinfo=datetime.timezone.utc)]",
		[]any{time.Date(2020, 1, 2, 3, 4, 0, 0, time.UTC), time.Date(2021, 12, 31, 23, 59, 59, 999999000, time.UTC)}},
	{"datetime.datetime(2020, 1, 2, 3, 4, tzinfo=datetime.timezone(datetime.timedelta(hours=-3)))", time.Date(2020, 1, 2, 3, 4, 0, 0, time.FixedZone("", -3*3600))},
	{"datetime.datetime(2020, 1, 2, 3, 4, tzinfo=datetime.timezone(datetime.timedelta(hours=1), 'CET'))", time.Date(2020, 1, 2, 3, 4, 0, 0, time.FixedZone("CET", 3600))},
	{"datetime.datetime(2020, 10, 25, 2, 30, fold=1)", DateTime{Date{2020, 10, 25}, TimeOfDay{2, 30, 0, 0, true}}},
	{"datetime.time(2, 30, 0, 7, fold=1)", TimeOfDay{2, 30, 0, 7, true}},
	{"[datetime.timedelta(0), datetime.timedelta(microseconds=-1), datetime.timedelta(days=-2)]", []any{time.Duration(0), -time.Microsecond, -48 * time.Hour}},
	{"[UUID(int=1), UUID(int=2**128-1), UUID(int=1)]", []any{uuid.UUID{15: 1}, uuid.Max, uuid.UUID{15: 1}}},
	{"[Decimal('1.50'), Decimal('1.50'), Decimal('-1E+10'), Decimal('NaN'), Decimal('sNaN12'), Decimal('-Infinity'), Decimal('0E-7')]",
		[]any{Decimal("1.50"), Decimal("1.50"), Decimal("-1E+10"), Decimal("NaN"), Decimal("sNaN12"), Decimal("-Infinity"), Decimal("0E-7")}},
	{"{1: 'a', None: (), 'k': [], 2.5: {}, b'k': {1: {2: set()}}, (1, 2): True}", Dict{{int64(1), "a"}, {nil, Tuple{}}, {"k", []any{}}, {2.5, Dict{}},
		{[]byte("k"), Dict{{int64(1), Dict{{int64(2), Set{}}}}}}, {Tuple{int64(1), int64(2)}, true}}},
	{"__import__('functools').reduce(lambda v, _: [v], range(100), [])", nested(100)},
}

// TestCPythonDumps compares with what CPython writes for the same values:
// protocols 0 to 5 are read, protocol 5 is written, repr is printed alike.
func TestCPythonDumps(t *testing.T) {
	t.Parallel()
	var questions []string
	var values []any
	for _, g := range golden {
		questions, values = append(questions, g.repr), append(values, g.value)
	}
	for _, m := range more {
		questions, values = append(questions, m.python), append(values, m.value)
	}
	for i, a := range python(t, dumper, questions) {
		for protocol, text := range a.Pickles {
			if strings.Contains(questions[i], "fold=1") && protocol < 4 {
				continue // CPython drops the fold there
			}
			got, err := Decode(unhex(t, text), Limits{})
			if err != nil || !sameDeep(got, values[i]) {
				t.Errorf("%.80s in protocol %d: %v: got %.200s", questions[i], protocol, err, Repr(got))
			}
		}
		got, err := Encode(values[i])
		if err != nil || hex.EncodeToString(got) != a.Pickles[5] {
			t.Errorf("%.80s: %v\n got %.300x\nwant %.300s", questions[i], err, got, a.Pickles[5])
		}
		if got := Repr(values[i]); got != a.Repr {
			t.Errorf("repr: got %.300s\nwant %.300s", got, a.Repr)
		}
	}
}

// TestCPythonOpaque reads objects of classes that are not known.
func TestCPythonOpaque(t *testing.T) {
	t.Parallel()
	questions := []string{"Unknown(7)", "Unknown", "__import__('collections').OrderedDict(a=1)", "__import__('collections').deque([1, 2])",
		"1j", "__import__('os').system", "__import__('fractions').Fraction(1, 3)", "range(3)", "datetime.timedelta.max"}
	want := []string{"<__main__.Unknown object>", "<class '__main__.Unknown'>", "<collections.OrderedDict object>", "<collections.deque object>",
		"<builtins.complex object>", "<class 'posix.system'>", "<fractions.Fraction object>", "<builtins.range object>", "<datetime.timedelta object>"}
	for i, a := range python(t, dumper, questions) {
		// Python 2 knew some of these by other names, which protocols 0 to 2 use.
		for _, text := range a.Pickles[3:] {
			v, err := Decode(unhex(t, text), Limits{})
			if got := Repr(v); err != nil || got != want[i] {
				t.Errorf("%s: %v: got %s want %s", questions[i], err, got, want[i])
			}
			if _, err := Encode(v); err == nil {
				t.Errorf("%s: was encoded again although only its name is known", questions[i])
			}
		}
		for _, text := range a.Pickles[:3] {
			if _, err := Decode(unhex(t, text), Limits{}); err != nil {
				t.Errorf("%s: %v", questions[i], err)
			}
		}
	}
}

// TestCPythonLoads has CPython read random values that Encode wrote, and write
// them again: the bytes must come back.
func TestCPythonLoads(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	var questions []string
	var values []any
	for range 500 {
		v := randomValue(r, 4)
		b, err := Encode(v)
		if err != nil {
			t.Fatalf("%s: %v", Repr(v), err)
		}
		questions, values = append(questions, hex.EncodeToString(b)), append(values, v)
	}
	for i, a := range python(t, loader, questions) {
		if a.Pickles[0] != questions[i] {
			t.Errorf("%s\n ours  %s\nPython %s", a.Repr, questions[i], a.Pickles[0])
		}
		if got := Repr(values[i]); got != a.Repr {
			t.Errorf("repr: got %s\nwant %s", got, a.Repr)
		}
	}
}

// alphabet avoids what newer Unicode versions assigned, which repr depends on.
var alphabet = []string{"a", "'", `"`, "\\", "\n", "\x00", "\x7f", "é", "ß", "\u00a0", "ж", "漢", "\u2029", "😀", "\xed\xb2\x80"}

func randomValue(r *rand.Rand, depth int) any {
	n := r.IntN(5)
	switch kind := r.IntN(14); {
	case kind == 0:
		return nil
	case kind == 1:
		return r.IntN(2) == 0
	case kind == 2:
		return int64(r.Uint64()) >> r.IntN(64)
	case kind == 3:
		return math.Float64frombits(r.Uint64()&^(0x7ff<<52) | uint64(r.IntN(0x7ff))<<52)
	case kind == 4:
		return []byte(fmt.Sprintf("%x", r.Uint64()))[:2+n]
	case kind == 5:
		return time.Unix(r.Int64N(1<<36), int64(r.IntN(1e6))*1000).UTC()
	case kind == 6:
		return time.Duration(int64(r.Uint64()) / 1000 * 1000)
	case kind == 7:
		return uuid.UUID{3: byte(n), 7: 9}
	case kind == 8 || depth == 0:
		// The classes' own names would be interned and so shared.
		return strings.Repeat(alphabet[r.IntN(len(alphabet))], n)
	case kind == 9:
		return Tuple(randomValues(r, n, depth))
	case kind <= 11:
		return randomValues(r, n, depth)
	default:
		d := Dict{}
		for i := range n {
			d = append(d, Pair{fmt.Sprintf("k%d", i), randomValue(r, depth-1)})
		}
		return d
	}
}

func randomValues(r *rand.Rand, n, depth int) []any {
	out := make([]any, n)
	for i := range out {
		out[i] = randomValue(r, depth-1)
	}
	return out
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// sameDeep is same for lists of times as well.
func sameDeep(a, b any) bool {
	la, ok := a.([]any)
	lb, ok2 := b.([]any)
	if !ok || !ok2 {
		return same(a, b)
	}
	for i := range la {
		if len(la) != len(lb) || !sameDeep(la[i], lb[i]) {
			return false
		}
	}
	return len(la) == len(lb)
}
