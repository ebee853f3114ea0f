package httpapi

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/docsvc/docsvc/pkg/rq"
	"github.com/docsvc/docsvc/pkg/rq/pickle"
)

func TestPlain(t *testing.T) {
	t.Parallel()
	for want, v := range map[string]any{
		`null`:                  nil,
		`[1,"a",true,1.5]`:      pickle.Tuple{int64(1), "a", true, 1.5},
		`{"a":[1,2]}`:           pickle.Dict{{Key: "a", Value: []any{int64(1), int64(2)}}},
		`{"1":"one"}`:           pickle.Dict{{Key: int64(1), Value: "one"}},
		`["x"]`:                 pickle.Set{"x"},
		`["y"]`:                 pickle.FrozenSet{"y"},
		`"<app.Secret object>"`: pickle.Opaque{Global: "app.Secret", State: "do not show"},
		`"nan"`:                 math.NaN(),
		`"-inf"`:                math.Inf(-1),
		`340282366920938463463374607431768211456`: new(big.Int).Lsh(big.NewInt(1), 128),
		`"an integer of 5000 bits"`:               new(big.Int).Lsh(big.NewInt(1), 4999),
		`"text"`:                                  []byte("text"),
		`"<3 bytes>"`:                             []byte{0xff, 0xfe, 0},
		`"1.50"`:                                  pickle.Decimal("1.50"),
		`90`:                                      90 * time.Second,
		`"2026-11-23T16:00:00.5Z"`:                time.Date(2026, 11, 23, 16, 0, 0, 5e8, time.UTC),
		`"bad �"`:                                 "bad \xed\xa0\x80"[:5],
	} {
		var b strings.Builder
		err := encodeJSON(&b, plain(v))
		if got := strings.TrimSpace(b.String()); err != nil || got != want {
			t.Errorf("plain(%#v) is %s (%v), want %s", v, got, err, want)
		}
	}
}

// Whatever stands in Redis, what is shown of it stays small, valid and JSON.
func TestPlainIsBounded(t *testing.T) {
	t.Parallel()
	var deep any = "bottom"
	for range 10000 {
		deep = []any{deep}
	}
	wide := make([]any, 100000)
	for i := range wide {
		wide[i] = strings.Repeat("x", 1000)
	}
	dict := pickle.Dict{}
	for i := range 100000 {
		dict = append(dict, pickle.Pair{Key: int64(i), Value: strings.Repeat("k", 100)})
	}
	for name, v := range map[string]any{
		"deep": deep, "wide": wide, "dict": dict, "wide in wide": []any{wide, wide, wide},
		"long text": strings.Repeat("é", 1<<20), "long key": pickle.Dict{{Key: strings.Repeat("k", 1<<20), Value: nil}},
		"name of a class": pickle.Opaque{Global: strings.Repeat("g", 1<<20)},
	} {
		b, err := json.Marshal(plain(v))
		if err != nil || !utf8.Valid(b) {
			t.Errorf("%s: %v, valid UTF-8 %v", name, err, utf8.Valid(b))
		}
		if most := plainBudget * 3 / 2; len(b) > most {
			t.Errorf("%s: %d bytes are shown, more than %d", name, len(b), most)
		}
	}
	kwargs := map[string]any{}
	for i := range 1000 {
		kwargs[strings.Repeat("k", 1+i)] = strings.Repeat("v", plainText)
	}
	for name, v := range map[string]any{"arguments": plainArgs(wide), "keyword arguments": plainMap(kwargs)} {
		if b, err := json.Marshal(v); err != nil || len(b) > plainBudget*3/2 {
			t.Errorf("%s: %d bytes are shown, %v", name, len(b), err)
		}
	}
	if s := plain(strings.Repeat("x", plainText+5)).(string); !strings.HasSuffix(s, "(5 bytes more)") {
		t.Errorf("a cut text ends in %q", s[len(s)-30:])
	}
	if l := plain(wide).([]any); !strings.HasPrefix(l[len(l)-1].(string), "… ") {
		t.Errorf("a cut list ends in %v", l[len(l)-1])
	}
}

func TestErrorTextKeepsBothEnds(t *testing.T) {
	t.Parallel()
	long := "Traceback (most recent call last):\n" + strings.Repeat("  File x\n", 10000) + "ValueError: the reason"
	got := errorText(long)
	if len(got) > 17<<10 || !strings.HasPrefix(got, "Traceback") || !strings.HasSuffix(got, "ValueError: the reason") {
		t.Errorf("%d bytes, from %.20q to %q", len(got), got, got[len(got)-30:])
	}
}

func TestOneLine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Traceback (most recent call last):\n  File \"x\"\nValueError: no\n": "ValueError: no",
		"The PDF is encrypted.\nMore.":                                       "The PDF is encrypted.",
		"  one  ":                                                            "one",
	} {
		if got := oneLine(text); got == nil || *got != want {
			t.Errorf("oneLine(%q) is %v, want %q", text, got, want)
		}
	}
	if oneLine(" \n") != nil {
		t.Error("nothing is shown as something")
	}
}

// RQ keeps a Retry object where a result would be; only a success has one.
func TestOutcome(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		r     rq.Result
		value any
		exc   string
	}{
		"a success":          {rq.Result{Type: rq.ResultSuccessful, Value: int64(3)}, int64(3), ""},
		"a retry":            {rq.Result{Type: rq.ResultRetried, Value: pickle.Opaque{Global: "rq.job.Retry"}}, nil, ""},
		"a failure":          {rq.Result{Type: rq.ResultFailed, Error: "ValueError: no"}, nil, "ValueError: no"},
		"an unreadable one":  {rq.Result{Type: rq.ResultSuccessful, ValueErr: errors.New("bad opcode")}, nil, "the result can't be read: bad opcode"},
		"an unreadable call": {rq.Result{Type: rq.ResultFailed}, nil, "before"},
	} {
		var before *string
		if c.exc == "before" {
			before = &c.exc
		}
		value, exc := outcome(&c.r, before)
		if value != c.value || (exc == nil) != (c.exc == "") || exc != nil && *exc != c.exc {
			t.Errorf("%s is shown as %v, %v", name, value, exc)
		}
	}
}
