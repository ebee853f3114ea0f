package rq

import (
	"bytes"
	"compress/zlib"
	"encoding/hex"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/docsvc/docsvc/pkg/rq/pickle"
)

func zlibOf(t *testing.T, plain string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	if _, err := io.WriteString(z, plain); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestPayloadAsPythonWritesIt(t *testing.T) {
	t.Parallel()
	fromHex := func(text string) string {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for _, c := range []struct {
		name       string
		serializer Serializer
		fn         string
		args       []any
		kwargs     map[string]any
		plain      string
	}{
		{"pickle", Pickle, "mod.fn", []any{1, 2}, nil, fromHex("8005951600000000000000288c066d6f642e666e944e4b014b0286947d9474942e")},
		{"pickle without arguments", Pickle, "mod.fn", nil, nil, fromHex("8005951100000000000000288c066d6f642e666e944e297d9474942e")},
		{"pickle with keywords", Pickle, "mod.fn", []any{"s", "s"}, map[string]any{"s": "s"},
			fromHex("8005951d00000000000000288c066d6f642e666e944e8c017394680186947d94680168017374942e")},
		{"json", JSON, "wjobs.add", []any{1}, map[string]any{"b": 2}, `["wjobs.add", null, [1], {"b": 2}]`},
		{"json without arguments", JSON, "wjobs.add", nil, nil, `["wjobs.add", null, [], {}]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			data, err := encodePayload(c.serializer, c.fn, c.args, c.kwargs)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.HasPrefix(data, []byte{0x78, 0x9c}) {
				t.Errorf("header %x, want that of level 6", data[:2])
			}
			plain, err := inflate(data, maxPayload)
			if err != nil || string(plain) != c.plain {
				t.Errorf("%v\n got %q\nwant %q", err, plain, c.plain)
			}
			for _, form := range [][]byte{data, plain} {
				fn, args, kwargs, s, err := decodePayload(form)
				if err != nil || fn != c.fn || s != c.serializer {
					t.Fatalf("%v: got %s from %s", err, fn, s)
				}
				if got, want := callString(fn, args, kwargs), callString(c.fn, c.args, c.kwargs); got != want {
					t.Errorf("got %s want %s", got, want)
				}
			}
		})
	}
}

func TestDecodePayloadAccepts(t *testing.T) {
	t.Parallel()
	for name, plain := range map[string]string{
		"protocol 0":          "(S'f'\nN(I1\ntp0\n(dt.",
		"list of four":        "\x80\x05](\x8c\x01fNK\x01\x85}e.",
		"arguments as list":   "\x80\x05(\x8c\x01fN]K\x01a}t.",
		"method of an object": "\x80\x05(\x8c\x01f\x8c\x01m\x8c\x01C\x93)\x81K\x01\x85}t.",
		"json with spaces":    ` ["f",null,[1],{}]`,
	} {
		fn, args, kwargs, _, err := decodePayload(zlibOf(t, plain))
		if err != nil || fn != "f" || !reflect.DeepEqual(args, []any{int64(1)}) || len(kwargs) != 0 {
			t.Errorf("%s: %v: got %s(%v, %v)", name, err, fn, args, kwargs)
		}
	}
}

func TestDecodePayloadRefuses(t *testing.T) {
	t.Parallel()
	for name, data := range map[string][]byte{
		"nothing":                  nil,
		"noise":                    []byte("noise"),
		"three parts":              zlibOf(t, "\x80\x05\x8c\x01fN)\x87."),
		"five parts":               zlibOf(t, `["f", null, [], {}, 1]`),
		"an int":                   zlibOf(t, "\x80\x05K\x01."),
		"function is no text":      zlibOf(t, "[1, null, [], {}]"),
		"arguments are text":       zlibOf(t, `["f", null, "ab", {}]`),
		"keywords are a list":      zlibOf(t, `["f", null, [], []]`),
		"keyword is no text":       zlibOf(t, "\x80\x05(\x8c\x01fN)}K\x01K\x02st."),
		"truncated":                zlibOf(t, `["f", null, [], {}]`)[:12],
		"pickle cut short":         zlibOf(t, "\x80\x05(\x8c\x01fN)}t"),
		"trailing JSON":            zlibOf(t, `["f", null, [], {}] x`),
		"compressed twice":         zlibOf(t, string(zlibOf(t, `["f", null, [], {}]`))),
		"deep":                     zlibOf(t, strings.Repeat("[", 100000)),
		"a list that holds itself": zlibOf(t, "\x80\x05(\x8c\x01fN]\x94h\x00a}t."),
	} {
		if fn, args, kwargs, _, err := decodePayload(data); err == nil {
			t.Errorf("%s: got %s(%v, %v)", name, fn, args, kwargs)
		}
	}
}

func TestDecodePayloadStopsAtBombs(t *testing.T) {
	t.Parallel()
	bomb := zlibOf(t, strings.Repeat(" ", 64<<20))
	if _, _, _, _, err := decodePayload(bomb); !errors.Is(err, errPayloadTooLarge) {
		t.Errorf("got error %v", err)
	}
	call := `["f", null, ["` + strings.Repeat("x", 1000) + `"], {}]`
	for name, data := range map[string][]byte{"compressed": zlibOf(t, call), "as it is": []byte(call)} {
		if _, _, _, _, err := decodePayloadUpTo(data, len(call)); err != nil {
			t.Errorf("%s, as much as allowed: %v", name, err)
		}
		if _, _, _, _, err := decodePayloadUpTo(data, len(call)-1); !errors.Is(err, errPayloadTooLarge) {
			t.Errorf("%s, a byte more: %v", name, err)
		}
	}
}

func TestEncodePayloadRefuses(t *testing.T) {
	t.Parallel()
	if _, err := encodePayload(Pickle, "f", []any{struct{}{}}, nil); err == nil {
		t.Error("a struct was pickled")
	}
	if _, err := encodePayload(JSON, "f", []any{[]byte("a")}, nil); err == nil {
		t.Error("bytes were written as JSON")
	}
}

func TestDecodeValueTellsSerializersApart(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Serializer{
		"\x80\x05N.": Pickle, "N.": Pickle, "I1\n.": Pickle, "(dp0\n.": Pickle, "null": JSON, "1": JSON, `{"a": [1.5]}`: JSON, `"."`: JSON, "1.5": JSON,
	} {
		if _, got, err := decodeValue([]byte(text)); err != nil || got != want {
			t.Errorf("%q: %v: got %s want %s", text, err, got, want)
		}
	}
}

// TestCallString compares with what RQ 2.12's get_call_string gives for the
// same calls with max_length=75.
func TestCallString(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fn     string
		args   []any
		kwargs map[string]any
		want   string
	}{
		{"m.f", nil, nil, "m.f()"},
		{"m.f", []any{1, "a", nil, 1.5}, map[string]any{"b": true, "a": []any{1}}, "m.f(1, 'a', None, 1.5, a=[1], b=True)"},
		{"m.f", []any{pickle.Tuple{1}, strings.Repeat("é", 73)}, nil, "m.f((1,), '" + strings.Repeat("é", 73) + "')"},
		{"m.f", []any{strings.Repeat("é", 74)}, map[string]any{"k": strings.Repeat("x", 200)},
			"m.f('" + strings.Repeat("é", 74) + "..., k='" + strings.Repeat("x", 74) + "...)"},
		// The texts are sorted, not the names: "a1=" comes before "a=".
		{"m.f", nil, map[string]any{"a": 1, "a1": 2}, "m.f(a1=2, a=1)"},
	} {
		if got := callString(c.fn, c.args, c.kwargs); got != c.want {
			t.Errorf("got %s\nwant %s", got, c.want)
		}
	}
}
