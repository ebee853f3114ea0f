package pickle

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

func TestDecodeByHand(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, pickle string
		want         any
	}{
		{"protocol 0 ints and booleans", "(I01\nI00\nI7\nL12L\nI-3\nt.", Tuple{true, false, int64(7), int64(12), int64(-3)}},
		{"protocol 0 text", "(lp0\nS'a\\n\\x41\\101'\np1\naVb\\u00e9\\\\u0041\np2\nag1\na.", []any{"a\nAA", "bé\\\\u0041", "a\nAA"}},
		{"Python 2 bytes", "U\x03a\xffb.", []byte("a\xffb")},
		{"memo out of order", "\x80\x02]r\xff\xff\xff\xff(K\x01j\xff\xff\xff\xff0K\x02e.", []any{int64(1), int64(2)}},
		{"memoise after a gap", "\x80\x04K\x07q\x05\x94h\x01\x86.", nil},
		{"POP and DUP", "K\x01K\x020K\x032\x87.", Tuple{int64(1), int64(3), int64(3)}},
		{"POP of a mark", "K\x01(0.", int64(1)},
		{"POP_MARK", "K\x01(K\x02K\x031.", int64(1)},
		{"shared list", "\x80\x04]\x94K\x01ah\x00\x86.", Tuple{[]any{int64(1)}, []any{int64(1)}}},
		{"extended after it was stored", "\x80\x04]\x94]\x94h\x00ah\x00K\x05a0.", []any{[]any{int64(5)}}},
		{"equal keys", "\x80\x04}(\x8c\x01aK\x01\x8c\x01bK\x02\x8c\x01aK\x03u.", Dict{{"a", int64(3)}, {"b", int64(2)}}},
		{"1, 1.0 and True are one key", "\x80\x04}(K\x01K\x01\x88K\x02G\x3f\xf0\x00\x00\x00\x00\x00\x00K\x03u.", Dict{{int64(1), int64(3)}}},
		{"after the end", "K\x01.rest", int64(1)},
		{"call that is not known", "cos\nsystem\n(S'echo'\ntR.", Opaque{Global: "os.system", Args: Tuple{"echo"}}},
		{"old instance", "(imod\nClass\n(dS'a'\nI1\nsb.", Opaque{Global: "mod.Class", Args: Tuple{}, State: Dict{{"a", int64(1)}}}},
		{"OBJ", "(cmod\nClass\nK\x01o.", Opaque{Global: "mod.Class", Args: Tuple{int64(1)}}},
		{"NEWOBJ_EX", "\x80\x04\x8c\x03mod\x8c\x01C\x93)}\x92.", Opaque{Global: "mod.C", Args: Tuple{Tuple{}, Dict{}}}},
		{"extension", "\x82\x05)R.", Opaque{Global: "copyreg.extension 5", Args: Tuple{}}},
		{"persistent id", "Pname\n.", Opaque{Global: "persistent id", Args: "name"}},
		{"what a call returned is called", "cm\nf\n)R)R.", Opaque{Global: "m.f()", Args: Tuple{}}},
		{"items and entries of an object", "\x80\x02cm\nC\n)\x81K\x01aK\x02K\x03s.",
			Opaque{Global: "m.C", Args: Tuple{}, Items: []any{int64(1)}, Pairs: []Pair{{int64(2), int64(3)}}}},
		{"impossible date stays an object", "\x80\x03cdatetime\ndate\nC\x04\x07\xe4\x0d\x01\x85R.",
			Opaque{Global: "datetime.date", Args: Tuple{[]byte("\x07\xe4\x0d\x01")}}},
		{"UUID of a negative number stays an object", "\x80\x02cuuid\nUUID\n)\x81}U\x03intJ\xff\xff\xff\xffsb.",
			Opaque{Global: "uuid.UUID", Args: Tuple{}, State: Dict{{"int", int64(-1)}}}},
		{"Retry as in results of type 4", "\x80\x05\x95I\x00\x00\x00\x00\x00\x00\x00\x8c\x06rq.job\x94\x8c\x05Retry\x94\x93\x94)\x81\x94}\x94(\x8c\x03max\x94K\x01\x8c\tintervals\x94]\x94K\x00a\x8c\x10enqueue_at_front\x94\x89ub.",
			Opaque{Global: "rq.job.Retry", Args: Tuple{}, State: Dict{{"max", int64(1)}, {"intervals", []any{int64(0)}}, {"enqueue_at_front", false}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := Decode([]byte(c.pickle), Limits{})
			if c.want == nil {
				// The memo's next place is how many entries it has.
				c.want = Tuple{int64(7), int64(7)}
			}
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("%v: got %#v want %#v", err, got, c.want)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"nothing":                     "",
		"no end":                      "K\x01",
		"nothing at the end":          ".",
		"unknown opcode":              "\xff.",
		"protocol 6":                  "\x80\x06N.",
		"frame beyond the end":        "\x80\x05\x95\x10\x00\x00\x00\x00\x00\x00\x00N.",
		"frame of 2^64-1":             "\x80\x05\x95\xff\xff\xff\xff\xff\xff\xff\xffN.",
		"str of 2^64-1":               "\x8d\xff\xff\xff\xff\xff\xff\xff\xffa.",
		"bytes of 4 GiB":              "B\xff\xff\xff\xffa.",
		"bytearray of 2^63":           "\x96\x00\x00\x00\x00\x00\x00\x00\x80a.",
		"int of 4 GiB":                "\x8b\xff\xff\xff\xff\x01.",
		"int of 4000 bytes":           "\x8b\xa0\x0f\x00\x00" + strings.Repeat("\x01", 4000) + ".",
		"int of 5000 digits":          "I" + strings.Repeat("1", 5000) + "\n.",
		"not UTF-8":                   "\x8c\x01\xff.",
		"memo that is not there":      "h\x00.",
		"memo with nothing to store":  "\x94.",
		"memo index that is no index": "g-1\n.",
		"no mark":                     "t.",
		"below the mark":              "K\x01(\x85.",
		"a key without value":         "}(K\x01u.",
		"unhashable key":              "}]K\x01s.",
		"append to an int":            "K\x01K\x02a.",
		"state of a list":             "]}b.",
		"class named by an int":       "K\x01K\x02\x93.",
		"a list in itself":            "]\x94h\x00a.",
		"a dict in itself":            "}\x94K\x01h\x00s.",
		"an object in its own state":  "cm\nC\n)\x81\x94h\x00b.",
		"deep":                        strings.Repeat("]", 300) + strings.Repeat("a", 299) + ".",
		"deep tuples":                 "N" + strings.Repeat("\x85", 100000) + ".",
		"broken literals":             "S'a\n.",
		"broken escape":               "V\\uzzzz\n.",
		"broken int":                  "Iabc\n.",
		"broken float":                "Fabc\n.",
		"out of band buffer":          "\x97.",
		"empty OBJ":                   "(o.",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if v, err := Decode([]byte(text), Limits{}); err == nil {
				t.Errorf("got %.100s", Repr(v))
			}
		})
	}
}

// TestDecodeLimits gives pickles that stand for far more than their length.
func TestDecodeLimits(t *testing.T) {
	t.Parallel()
	// Each level is a pair of the one before: 2^n values from 4n bytes.
	doubling := "\x80\x04]\x94" + strings.Repeat("h\x00h\x00\x86\x94", 0)
	for i := range 200 {
		doubling += "h" + string([]byte{byte(i)}) + "h" + string([]byte{byte(i)}) + "\x86\x94"
	}
	text := strings.Repeat("x", 1<<16)
	longText := "\x80\x04](X\x00\x00\x01\x00" + text + "\x94" + strings.Repeat("h\x00", 5000) + "e."
	for name, c := range map[string]struct {
		pickle string
		limits Limits
	}{
		"doubling":       {doubling + ".", Limits{}},
		"repeated text":  {longText, Limits{}},
		"too many":       {"(" + strings.Repeat("N", 1<<20) + "t.", Limits{}},
		"too many marks": {strings.Repeat("(", 1<<20), Limits{}},
		"too many memos": {"N" + strings.Repeat("\x94", 1<<20) + ".", Limits{}},
		"too long":       {"\x8c\x01a.", Limits{MaxBytes: 3}},
		"too deep":       {"N\x85\x85\x85.", Limits{MaxDepth: 2}},
		"deep by sharing": {"N" + strings.Repeat("\x85", 200) + "\x94" + strings.Repeat("\x85", 100) + "h\x00\x86.",
			Limits{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if v, err := Decode([]byte(c.pickle), c.limits); !errors.Is(err, ErrLimit) {
				t.Errorf("got %.100s and error %v", Repr(v), err)
			}
		})
	}
	if _, err := Decode([]byte("N\x85\x85."), Limits{MaxDepth: 2}); err != nil {
		t.Errorf("as deep as allowed: %v", err)
	}
}

// TestDecodeAllocates at most in proportion to its input, whatever lengths
// the input claims.
func TestDecodeAllocates(t *testing.T) {
	claims := []byte("\x80\x05B\xff\xff\xff\x7fX\xff\xff\xff\x7f\x8b\xff\xff\xff\x7fj\xff\xff\xff\x7fr\xff\xff\xff\x7f.")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range claims {
		_, _ = Decode(claims[i:], Limits{})
	}
	_, _ = Decode([]byte("Nr\xff\xff\xff\xff."), Limits{})
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
		t.Errorf("%d bytes allocated for %d bytes of input", got, len(claims))
	}
}

func TestEncodeGoTypes(t *testing.T) {
	t.Parallel()
	type name string
	var none *int
	for _, c := range []struct {
		in   any
		want any
	}{
		{int8(-3), int64(-3)}, {uint16(9), int64(9)}, {uint64(math.MaxUint64), bigInt("18446744073709551615")}, {float32(0.5), 0.5},
		{name("x"), "x"}, {[]string{"a", "b"}, []any{"a", "b"}}, {[2]int{1, 2}, []any{int64(1), int64(2)}},
		{map[name]int{"b": 1, "a": 2}, Dict{{"a", int64(2)}, {"b", int64(1)}}},
		{map[string]any{"z": nil, "a": true}, Dict{{"a", true}, {"z", nil}}}, {none, nil},
		{bigInt("5"), int64(5)}, {[]any(nil), []any{}}, {time.Date(2020, 1, 1, 0, 0, 0, 1999, time.UTC), time.Date(2020, 1, 1, 0, 0, 0, 1000, time.UTC)},
	} {
		b, err := Encode(c.in)
		if err != nil {
			t.Errorf("%#v: %v", c.in, err)
			continue
		}
		got, err := Decode(b, Limits{})
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%#v: %v: got %#v want %#v", c.in, err, got, c.want)
		}
		if Repr(c.in) != Repr(c.want) {
			t.Errorf("repr of %#v: %s, want %s", c.in, Repr(c.in), Repr(c.want))
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	t.Parallel()
	self := []any{nil}
	self[0] = self
	for name, v := range map[string]any{
		"channel": make(chan int), "struct": struct{ A int }{1}, "int keys": map[int]int{1: 1}, "opaque": Opaque{Global: "m.C"},
		"not UTF-8": "\xff", "not UTF-8 as key": Dict{{"\xff", 1}}, "itself": self, "year 10000": time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
		"not a number": Decimal("1; import os"), "pointer": new(int),
	} {
		if b, err := Encode(v); err == nil {
			t.Errorf("%s: %x", name, b)
		}
	}
}

func TestPlain(t *testing.T) {
	t.Parallel()
	in := Dict{
		{"tuple", Tuple{int64(1), "a"}}, {"set", Set{1.5}}, {"nan", math.NaN()}, {"bytes", []byte("\xff")}, {int64(7), FrozenSet{}},
		{"when", DateTime{Date{2020, 1, 2}, TimeOfDay{3, 4, 5, 6, false}}}, {"aware", time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)},
		{"day", Date{2020, 1, 2}}, {"for", 1500 * time.Millisecond}, {"price", Decimal("1.50")}, {"id", uuid.UUID{15: 1}},
		{"object", Opaque{Global: "m.C", Args: Tuple{}}}, {"big", bigInt("18446744073709551616")}, {"lone", "\xed\xa0\x80"},
		{"map", map[string]any{"x": Tuple{}}}, {"zone", time.UTC},
	}
	got, err := json.Marshal(Plain(in))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"7":[],"aware":"2020-01-02T03:04:05Z","big":18446744073709551616,"bytes":"b'\\xff'","day":"2020-01-02","for":1.5,` +
		`"id":"00000000-0000-0000-0000-000000000001","lone":"'\\ud800'","map":{"x":[]},"nan":"nan","object":"\u003cm.C object\u003e",` +
		`"price":"1.50","set":[1.5],"tuple":[1,"a"],"when":"2020-01-02T03:04:05.000006","zone":"datetime.timezone.utc"}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func FuzzDecode(f *testing.F) {
	for _, g := range golden {
		b, err := Encode(g.value)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	for _, s := range []string{
		"(lp0\nS'a\\n\\x41\\101'\np1\naVb\\u00e9\\\\u0041\np2\nag1\na.", "(imod\nClass\n(dS'a'\nI1\nsb.", "\x80\x02]r\xff\xff\xff\xff(K\x01j\xff\xff\xff\xff0K\x02e.",
		"\x80\x02cm\nC\n)\x81K\x01aK\x02K\x03s.", "]\x94h\x00a.", "c_codecs\nencode\n(V\xff\nVlatin1\ntR.", "cdatetime\ndatetime\n(V\n\x07\nVx\ntR.",
		"\x80\x04}(\x8c\x01aK\x01\x8c\x01bK\x02\x8c\x01aK\x03u.", "c__builtin__\nset\n((lI1\natR.", "F1e5\n.", "L123L\n.", "Pname\n.", "\x82\x05)R.",
	} {
		f.Add([]byte(s))
	}
	limits := Limits{MaxBytes: 1 << 16, MaxDepth: 64, MaxExpanded: 1 << 16, MaxValues: 1 << 12}
	f.Fuzz(func(t *testing.T, in []byte) {
		v, err := Decode(in, limits)
		if err != nil {
			return
		}
		if _, err := json.Marshal(Plain(v)); err != nil {
			t.Errorf("plain form of %s: %v", Repr(v), err)
		}
		b, err := Encode(v)
		if err != nil {
			return // holds an Opaque
		}
		back, err := Decode(b, Limits{})
		if err != nil || Repr(back) != Repr(v) {
			t.Errorf("%v: wrote %s and read %s", err, Repr(v), Repr(back))
		}
	})
}
