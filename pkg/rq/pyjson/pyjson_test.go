package pyjson

import (
	"bytes"
	"encoding/json"
	"math"
	"math/big"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/docsvc/docsvc/pkg/rq/pickle"
)

var huge, _ = new(big.Int).SetString("18446744073709551616", 10)

// written are values and what json.dumps of CPython 3.11 makes of them.
var written = []struct {
	value any
	text  string
}{
	{nil, "null"}, {true, "true"}, {false, "false"}, {int64(-7), "-7"}, {huge, "18446744073709551616"},
	{1.0, "1.0"}, {1e16, "1e+16"}, {1e-5, "1e-05"}, {math.Inf(1), "Infinity"}, {math.Inf(-1), "-Infinity"},
	{"", `""`}, {"a\"\\/\b\f\n\r\t\x00\x7f", `"a\"\\/\b\f\n\r\t\u0000\u007f"`}, {"é漢😀", `"\u00e9\u6f22\ud83d\ude00"`},
	{"\xed\xa0\x80", `"\ud800"`}, {"\xed\xb0\x80\xed\xa0\x80", `"\udc00\ud800"`},
	{[]any{}, "[]"}, {[]any{int64(1), []any{"a"}}, `[1, ["a"]]`}, {pickle.Dict{}, "{}"},
	{pickle.Dict{{Key: "b", Value: int64(1)}, {Key: "a", Value: pickle.Dict{{Key: "c", Value: nil}}}}, `{"b": 1, "a": {"c": null}}`},
}

func TestWritten(t *testing.T) {
	t.Parallel()
	for _, w := range written {
		got, err := Encode(w.value)
		if err != nil || string(got) != w.text {
			t.Errorf("%#v: %v: got %s want %s", w.value, err, got, w.text)
		}
		back, err := Decode([]byte(w.text))
		if err != nil || !reflect.DeepEqual(back, w.value) {
			t.Errorf("%s: %v: got %#v", w.text, err, back)
		}
	}
}

// TestCPython has json.loads and json.dumps reproduce every text.
func TestCPython(t *testing.T) {
	t.Parallel()
	bin, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 on PATH: compared with stored text only")
	}
	var texts []string
	for _, w := range written {
		texts = append(texts, w.text)
	}
	in, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), bin, "-I", "-c",
		"import json, sys; json.dump([json.dumps(json.loads(x)) for x in json.load(sys.stdin)], sys.stdout)")
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, texts) {
		t.Errorf("got  %q\nwant %q", got, texts)
	}
}

func TestEncodeGoTypes(t *testing.T) {
	t.Parallel()
	type name string
	got, err := Encode(map[string]any{
		"z": []string{"a"}, "a": map[name]int{"k": 1}, "t": pickle.Tuple{uint8(1), float32(0.5)}, "n": math.NaN(), "s": name("x"),
		"keys": pickle.Dict{{Key: int64(1), Value: true}, {Key: nil, Value: 0}, {Key: 1.5, Value: 0}, {Key: false, Value: 0}},
	})
	want := `{"a": {"k": 1}, "keys": {"1": true, "null": 0, "1.5": 0, "false": 0}, "n": NaN, "s": "x", "t": [1, 0.5], "z": ["a"]}`
	if err != nil || string(got) != want {
		t.Errorf("%v\n got %s\nwant %s", err, got, want)
	}
}

func TestEncodeRefuses(t *testing.T) {
	t.Parallel()
	self := []any{nil}
	self[0] = self
	for _, v := range []any{
		[]byte("a"), pickle.Set{}, pickle.FrozenSet{}, pickle.Decimal("1"), pickle.Date{}, pickle.Opaque{}, time.Second, time.Now(), uuid.UUID{},
		"\xff", pickle.Dict{{Key: pickle.Tuple{}, Value: 1}}, map[int]int{1: 1}, make(chan int), self,
	} {
		if b, err := Encode(v); err == nil {
			t.Errorf("%T: %s", v, b)
		}
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]any{
		" [1 , -0.5e+2,\n\"\\u0041\\/\"]\t": []any{int64(1), -50.0, "A/"},
		`{"a": 1, "b": 2, "a": 3}`:          pickle.Dict{{Key: "a", Value: int64(3)}, {Key: "b", Value: int64(2)}},
		"1e999":                             math.Inf(1),
		"-0":                                int64(0),
		`"é"`:                               "é",
		`"\ud83d\ude00\ud83dx"`:             "😀\xed\xa0\xbdx",
	} {
		got, err := Decode([]byte(text))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v: got %#v", text, err, got)
		}
	}
	for _, text := range []string{
		"", " ", "nul", "01", "+1", "1.", ".5", "1e", "-", "[1,]", "[1 2]", "[", "{", `{"a"}`, `{"a":1,}`, `{1:2}`, `"`, `"\`, `"\x"`, `"\u12"`, `"\ud83d\u12"`,
		"\"\n\"", "\"\xff\"", "1 2", "NaN1", strings.Repeat("[", 300) + strings.Repeat("]", 300), strings.Repeat("[", 1<<20), strings.Repeat("1", 5000),
		"[" + strings.Repeat("[],", 1<<19) + "1]",
	} {
		if v, err := Decode([]byte(text)); err == nil {
			t.Errorf("%.50q: got %#v", text, v)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, w := range written {
		f.Add([]byte(w.text))
	}
	f.Add([]byte(` {"a" : [1.5e-7, NaN, "\ud83d\ude00\udc00"]} `))
	f.Fuzz(func(t *testing.T, in []byte) {
		v, err := Decode(in)
		if err != nil {
			return
		}
		text, err := Encode(v)
		if err != nil {
			t.Fatalf("%#v: %v", v, err)
		}
		back, err := Decode(text)
		if err != nil || pickle.Repr(back) != pickle.Repr(v) {
			t.Errorf("%v: %s became %s", err, text, pickle.Repr(back))
		}
	})
}
