package pickle

import (
	"encoding/hex"
	"math"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

func bigInt(s string) *big.Int {
	n, ok := new(big.Int).SetString(s, 0)
	if !ok {
		panic(s)
	}
	return n
}

// golden are pickles that CPython 3.11 wrote with protocol 5, and the values'
// repr there.
var golden = []struct {
	name  string
	value any
	hex   string
	repr  string
}{
	{"job", Tuple{"mod.fn", nil, Tuple{int64(1), int64(2)}, Dict{}}, "8005951600000000000000288c066d6f642e666e944e4b014b0286947d9474942e", "('mod.fn', None, (1, 2), {})"},
	{"job without arguments", Tuple{"mod.fn", nil, Tuple{}, Dict{}}, "8005951100000000000000288c066d6f642e666e944e297d9474942e", "('mod.fn', None, (), {})"},
	{"job with list and keywords", Tuple{"mod.fn", nil, []any{int64(1), "a"}, Dict{{"k", int64(1)}, {"v", int64(2)}}},
		"8005952800000000000000288c066d6f642e666e944e5d94284b018c016194657d94288c016b944b018c0176944b027574942e", "('mod.fn', None, [1, 'a'], {'k': 1, 'v': 2})"},
	{"0", int64(0), "80054b002e", "0"},
	{"255", int64(255), "80054bff2e", "255"},
	{"256", int64(256), "80059504000000000000004d00012e", "256"},
	{"65535", int64(65535), "80059504000000000000004dffff2e", "65535"},
	{"65536", int64(65536), "80059506000000000000004a000001002e", "65536"},
	{"-1", int64(-1), "80059506000000000000004affffffff2e", "-1"},
	{"2^31-1", int64(math.MaxInt32), "80059506000000000000004affffff7f2e", "2147483647"},
	{"2^31", int64(1 << 31), "80059508000000000000008a0500000080002e", "2147483648"},
	{"-2^31-1", int64(math.MinInt32 - 1), "80059508000000000000008a05ffffff7fff2e", "-2147483649"},
	{"2^63", bigInt("9223372036854775808"), "8005950c000000000000008a090000000000000080002e", "9223372036854775808"},
	{"1.5", 1.5, "8005950a00000000000000473ff80000000000002e", "1.5"},
	{"inf", math.Inf(1), "8005950a00000000000000477ff00000000000002e", "inf"},
	{"True", true, "8005882e", "True"},
	{"False", false, "8005892e", "False"},
	{"None", nil, "80054e2e", "None"},
	{"empty str", "", "80059504000000000000008c00942e", "''"},
	{"accent", "é", "80059506000000000000008c02c3a9942e", "'é'"},
	{"300 x", strings.Repeat("x", 300), "8005953301000000000000582c010000" + strings.Repeat("78", 300) + "942e", "'" + strings.Repeat("x", 300) + "'"},
	{"lone surrogate", "\xed\xa0\x80", "80059507000000000000008c03eda080942e", `'\ud800'`},
	{"empty bytes", []byte{}, "80059504000000000000004300942e", "b''"},
	{"ab bytes", []byte("ab"), "800595060000000000000043026162942e", "b'ab'"},
	{"300 bytes", []byte(strings.Repeat("x", 300)), "8005953301000000000000422c010000" + strings.Repeat("78", 300) + "942e", "b'" + strings.Repeat("x", 300) + "'"},
	{"bytearray", ByteArray("ab"), "8005950d000000000000009602000000000000006162942e", "bytearray(b'ab')"},
	{"()", Tuple{}, "8005292e", "()"},
	{"(1,)", Tuple{int64(1)}, "80059505000000000000004b0185942e", "(1,)"},
	{"(1, 2, 3)", Tuple{int64(1), int64(2), int64(3)}, "80059509000000000000004b014b024b0387942e", "(1, 2, 3)"},
	{"(1, 2, 3, 4)", Tuple{int64(1), int64(2), int64(3), int64(4)}, "8005950c00000000000000284b014b024b034b0474942e", "(1, 2, 3, 4)"},
	{"[]", []any{}, "80055d942e", "[]"},
	{"[1]", []any{int64(1)}, "80059506000000000000005d944b01612e", "[1]"},
	{"[1, 2]", []any{int64(1), int64(2)}, "80059509000000000000005d94284b014b02652e", "[1, 2]"},
	{"{}", Dict{}, "80057d942e", "{}"},
	{"{'a': 1}", Dict{{"a", int64(1)}}, "8005950a000000000000007d948c0161944b01732e", "{'a': 1}"},
	{"set", Set{int64(1), int64(2)}, "80059509000000000000008f94284b014b02902e", "{1, 2}"},
	{"set()", Set{}, "80058f942e", "set()"},
	{"frozenset", FrozenSet{int64(1)}, "8005950600000000000000284b0191942e", "frozenset({1})"},
	{"datetime", DateTime{Date{2020, 1, 2}, TimeOfDay{3, 4, 5, 6, false}},
		"8005952a000000000000008c086461746574696d65948c086461746574696d65949394430a07e4010203040500000694859452942e", "datetime.datetime(2020, 1, 2, 3, 4, 5, 6)"},
	{"datetime in UTC", time.Date(2020, 1, 2, 0, 0, 0, 0, time.UTC),
		"80059557000000000000008c086461746574696d65948c086461746574696d65949394430a07e401020000000000009468008c0874696d657a6f6e6594939468008c0974696d6564656c74619493944b004b004b008794529485945294869452942e",
		"datetime.datetime(2020, 1, 2, 0, 0, tzinfo=datetime.timezone.utc)"},
	{"date", Date{2020, 1, 2}, "80059520000000000000008c086461746574696d65948c0464617465949394430407e4010294859452942e", "datetime.date(2020, 1, 2)"},
	{"time", TimeOfDay{1, 2, 3, 0, false}, "80059522000000000000008c086461746574696d65948c0474696d65949394430601020300000094859452942e", "datetime.time(1, 2, 3)"},
	{"timedelta", 24*time.Hour + 2*time.Second + 3*time.Microsecond,
		"80059524000000000000008c086461746574696d65948c0974696d6564656c74619493944b014b024b03879452942e", "datetime.timedelta(days=1, seconds=2, microseconds=3)"},
	{"UUID", uuid.MustParse("12345678-1234-5678-1234-567812345678"),
		"80059530000000000000008c0475756964948c04555549449493942981947d948c03696e74948a107856341278563412785634127856341273622e", "UUID('12345678-1234-5678-1234-567812345678')"},
	{"Decimal", Decimal("1.5"), "80059521000000000000008c07646563696d616c948c07446563696d616c9493948c03312e3594859452942e", "Decimal('1.5')"},
	{"equal strings", Tuple{"mod.fn", nil, Tuple{"s", "s"}, Dict{{"s", "s"}}},
		"8005951d00000000000000288c066d6f642e666e944e8c017394680186947d94680168017374942e", "('mod.fn', None, ('s', 's'), {'s': 's'})"},
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for _, g := range golden {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			want, err := hex.DecodeString(g.hex)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Encode(g.value)
			if err != nil || string(got) != string(want) {
				t.Errorf("Encode: %v\n got %x\nwant %x", err, got, want)
			}
			back, err := Decode(want, Limits{})
			if err != nil || !same(back, g.value) {
				t.Errorf("Decode: %v\n got %#v\nwant %#v", err, back, g.value)
			}
			if got := Repr(g.value); got != g.repr {
				t.Errorf("Repr: got %s want %s", got, g.repr)
			}
		})
	}
}

// same compares values; times by instant and offset.
func same(a, b any) bool {
	if ta, ok := a.(time.Time); ok {
		tb, ok := b.(time.Time)
		_, oa := ta.Zone()
		_, ob := tb.Zone()
		return ok && ta.Equal(tb) && oa == ob
	}
	return reflect.DeepEqual(a, b)
}
