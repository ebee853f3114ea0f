// Package numbering counts the paragraphs of lists as Word does, whose files say
// how a list is numbered but not which number a paragraph has.
package numbering

import "strings"

// MaxLevels is how many levels a list has.
const MaxLevels = 9

// Level is how the paragraphs of one level are numbered.
type Level struct {
	Start   int
	Format  string // one of ST_NumberFormat: "decimal", "bullet", "none"
	Text    string // "%1.%2)": the numbers of levels 1 and 2
	Style   string // paragraph style that is this level
	Restart int    // level (from 1) after which counting starts again; 0 never, -1 after any above
	Legal   bool   // all numbers in the text as decimals
}

// Definition is how a list is numbered, and how far it is counted: lists that
// share one go on counting from one another.
type Definition struct {
	Levels   [MaxLevels]Level
	counters [MaxLevels]int
	started  [MaxLevels]bool
}

// NewDefinition makes one whose levels show nothing.
func NewDefinition() *Definition {
	d := &Definition{}
	for i := range d.Levels {
		d.Levels[i] = Level{Start: 1, Format: "none", Restart: -1}
	}
	return d
}

// List is what paragraphs are of.
type List struct {
	Definition *Definition
	Starts     [MaxLevels]*int   // start again from here when this list is first used
	Levels     [MaxLevels]*Level // definitions of its own
	used       [MaxLevels]bool
}

// Next counts a paragraph of level i, from 0, and returns its label; "" for a
// bullet. shown is false when the paragraph shows neither number nor bullet.
func (l *List) Next(i int) (label string, shown bool) {
	i = min(max(i, 0), MaxLevels-1)
	lvl := l.level(i)
	l.count(i)
	switch {
	case lvl.Format == "bullet":
		return "", true
	case lvl.Format == "none" || lvl.Text == "":
		return "", false
	}
	return l.label(i), true
}

func (l *List) level(i int) Level {
	if l.Levels[i] != nil {
		return *l.Levels[i]
	}
	return l.Definition.Levels[i]
}

func (l *List) count(i int) {
	d := l.Definition
	switch {
	case l.Starts[i] != nil && !l.used[i]:
		d.counters[i] = *l.Starts[i]
	case !d.started[i]:
		d.counters[i] = l.level(i).Start
	default:
		d.counters[i]++
	}
	d.started[i], l.used[i] = true, true
	for j := range i { // levels above that were skipped count as begun
		if !d.started[j] {
			d.counters[j], d.started[j] = l.level(j).Start, true
		}
	}
	for j := i + 1; j < MaxLevels; j++ {
		if r := l.level(j).Restart; r < 0 || r > 0 && i < r {
			d.started[j] = false
		}
	}
}

// label fills the numbers of all levels into the level's text.
func (l *List) label(i int) string {
	lvl := l.level(i)
	var b strings.Builder
	for k := 0; k < len(lvl.Text); k++ {
		c := lvl.Text[k]
		if c != '%' || k+1 >= len(lvl.Text) || lvl.Text[k+1] < '1' || lvl.Text[k+1] > '9' {
			b.WriteByte(c)
			continue
		}
		k++
		j := int(lvl.Text[k] - '1')
		format := l.level(j).Format
		if lvl.Legal {
			format = "decimal"
		}
		value := l.Definition.counters[j]
		if j > i {
			value = l.level(j).Start
		}
		b.WriteString(Numeral(value, format))
	}
	return strings.TrimSpace(b.String())
}
