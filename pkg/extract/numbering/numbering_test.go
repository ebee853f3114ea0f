package numbering

import (
	"strings"
	"testing"
)

func TestNumerals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		n      int
		format string
		want   string
	}{
		{4, "decimal", "4"}, {4, "decimalZero", "04"}, {14, "decimalZero", "14"}, {1994, "upperRoman", "MCMXCIV"}, {9, "lowerRoman", "ix"}, {0, "upperRoman", "0"},
		{1, "lowerLetter", "a"}, {26, "lowerLetter", "z"}, {27, "lowerLetter", "aa"}, {53, "upperLetter", "AAA"}, {0, "lowerLetter", "0"}, {100000, "lowerLetter", "100000"},
		{1, "ordinal", "1st"}, {2, "ordinal", "2nd"}, {3, "ordinal", "3rd"}, {11, "ordinal", "11th"}, {112, "ordinal", "112th"}, {21, "ordinal", "21st"},
		{3, "decimalEnclosedParen", "(3)"}, {3, "decimalEnclosedFullstop", "3."}, {3, "russianUpper", "В"}, {2, "russianLower", "б"},
		{7, "chineseCounting", "七"}, {10, "chineseCounting", "十"}, {15, "chineseCounting", "十五"}, {20, "chineseCounting", "二十"}, {42, "chineseCounting", "四十二"}, {100, "chineseCounting", "100"},
		{5, "none", ""}, {5, "cardinalText", "5"}, {-3, "decimal", "-3"},
	} {
		if got := Numeral(c.n, c.format); got != c.want {
			t.Errorf("%d as %s: %q, want %q", c.n, c.format, got, c.want)
		}
	}
}

func TestLabels(t *testing.T) {
	t.Parallel()
	def := NewDefinition()
	for i, text := range []string{"%1.", "%1.%2", "(%3)"} {
		def.Levels[i] = Level{Start: 1, Format: []string{"upperRoman", "decimal", "lowerLetter"}[i], Text: text, Restart: -1}
	}
	def.Levels[1].Legal = true
	def.Levels[3] = Level{Start: 5, Format: "decimal", Text: "%4", Restart: 0}
	def.Levels[4] = Level{Start: 1, Format: "bullet", Text: "x", Restart: -1}
	var got []string
	a, b := &List{Definition: def}, &List{Definition: def}
	three := 3
	b.Starts[0] = &three
	step := func(l *List, level int) {
		label, shown := l.Next(level)
		if !shown {
			label = "nothing"
		}
		got = append(got, label)
	}
	for _, level := range []int{0, 0, 1, 1, 0, 1, 2, 3, 0, 3, 4, 5} {
		step(a, level)
	}
	step(b, 0) // another list of the same definition, which begins anew
	step(a, 0)
	step(a, 99)
	if s, want := strings.Join(got, " "), "I. II. 2.1 2.2 III. 3.1 (a) 5 IV. 6  nothing III. IV. nothing"; s != want {
		t.Errorf("got %q, want %q", s, want)
	}
}
