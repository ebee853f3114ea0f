package markdown

import (
	"strings"
	"testing"
)

func TestPlain(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"nothing to do":                              "nothing to do",
		"**bold** and *em* and ***both***":           "bold and em and both",
		"__bold__ _em_ snake_case_name _x":           "bold em snake_case_name _x",
		"2 * 3 * 4 and a*b":                          "2 * 3 * 4 and a*b",
		"**pump *one* runs**":                        "pump one runs",
		"`code *kept*` and `` a`b ``":                "code *kept* and a`b",
		"a ` alone":                                  "a ` alone",
		"[the *plan*](https://x.test/a_(b)) here":    "the plan here",
		"[the plan][1], [short], [x][]":              "the plan, [short], x",
		"![a pump](pump.png \"title\") [![i](a)](b)": "a pump i",
		"see[^1] and [^note]":                        "see[1] and [note]",
		`\*not\* em, C:\path, \\`:                    `*not* em, C:\path, \`,
		"~~old~~ new ~5":                             "old new ~5",
		"<https://x.test> <a@b.test> <b>bold</b>":    "https://x.test a@b.test bold",
		"a < b > c, 1<2":                             "a < b > c, 1<2",
		"one<!-- hidden -->two":                      "onetwo",
		"ação *é* **ótima**":                         "ação é ótima",
		"**never closed":                             "**never closed",
		"[open (https://x.test":                      "[open (https://x.test",
		"****":                                       "****",
	} {
		if got := Plain(in); got != want {
			t.Errorf("Plain(%q)\n = %q\nwant %q", in, got, want)
		}
	}
}

// Texts made of openings must not take time out of proportion: the test would
// not end.
func TestPlainIsLinear(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"[", "](", "[](", "*a ", "a* ", "**a*", "`", "` `` ", "<", "<a ", "_a", "![", "\\", "[^", "<!--", "~~a"} {
		Plain(strings.Repeat(s, 50_000))
	}
}

func TestPlainOfALongText(t *testing.T) {
	t.Parallel()
	for _, unit := range []string{"*é* and `b` ", "ação", "x"} {
		n := 3 << 20 / len(unit)
		want := strings.Repeat(strings.NewReplacer("*", "", "`", "").Replace(unit), n)
		if got := Plain(strings.Repeat(unit, n)); got != want {
			t.Errorf("%q: %d bytes, want %d", unit, len(got), len(want))
		}
	}
}
