package docx

import (
	"strconv"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/ooxml"
)

const (
	maxLists  = 20000
	maxLevels = 9
)

// listRef says which list, and which level of it, a paragraph or style is of.
type listRef struct {
	id     string // "" when not said, "0" for none
	level  int
	leveld bool // level was said
}

func (r *listRef) read(x *ooxml.Reader) error {
	return x.Children(func(t ooxml.Token) error {
		switch t.Name {
		case "w:numId":
			r.id = t.Attr("w:val")
		case "w:ilvl":
			if n, err := strconv.Atoi(t.Attr("w:val")); err == nil {
				r.level, r.leveld = min(max(n, 0), maxLevels-1), true
			}
		}
		return nil
	})
}

// inherit fills in what r doesn't say itself.
func (r *listRef) inherit(base listRef) {
	if r.id == "" {
		r.id = base.id
	}
	if !r.leveld {
		r.level, r.leveld = base.level, base.leveld
	}
}

// lists are the list definitions of a document and how far each is counted.
type lists struct {
	abstract map[string]*abstractList
	ordered  []*abstractList
	nums     map[string]*list
}

// abstractList is a definition; lists that share one go on counting from one
// another.
type abstractList struct {
	levels    [maxLevels]level
	styleLink string // defined where this list style is
	style     string // is the definition of this list style
	counters  [maxLevels]int
	started   [maxLevels]bool
}

type list struct {
	abstractID string
	def        *abstractList
	override   [maxLevels]*int   // start again from here when this list is first used
	levels     [maxLevels]*level // definitions of its own
	used       [maxLevels]bool
}

type level struct {
	start   int
	format  string // numFmt
	text    string // "%1.%2)"
	style   string // paragraph style that is this level
	restart int    // level (from 1) after which counting starts again; 0 never, -1 after any above
	legal   bool   // all numbers in the text as decimals
}

func (l *lists) read(x *ooxml.Reader, _ ooxml.Token) error {
	l.abstract, l.nums = map[string]*abstractList{}, map[string]*list{}
	return x.Children(func(t ooxml.Token) error {
		if len(l.abstract)+len(l.nums) >= maxLists {
			return nil
		}
		switch t.Name {
		case "w:abstractNum":
			a := &abstractList{}
			for i := range a.levels {
				a.levels[i] = level{start: 1, format: "none", restart: -1}
			}
			l.abstract[t.Attr("w:abstractNumId")] = a
			l.ordered = append(l.ordered, a)
			return a.read(x)
		case "w:num":
			n := &list{}
			l.nums[t.Attr("w:numId")] = n
			return n.read(x)
		}
		return nil
	})
}

func (a *abstractList) read(x *ooxml.Reader) error {
	return x.Children(func(t ooxml.Token) error {
		switch t.Name {
		case "w:lvl":
			if i, ok := levelIndex(t); ok {
				return a.levels[i].read(x)
			}
		case "w:numStyleLink":
			a.styleLink = t.Attr("w:val")
		case "w:styleLink":
			a.style = t.Attr("w:val")
		}
		return nil
	})
}

func levelIndex(t ooxml.Token) (int, bool) {
	i, err := strconv.Atoi(t.Attr("w:ilvl"))
	return i, err == nil && i >= 0 && i < maxLevels
}

func (n *list) read(x *ooxml.Reader) error {
	return x.Children(func(t ooxml.Token) error {
		switch t.Name {
		case "w:abstractNumId":
			n.abstractID = t.Attr("w:val")
		case "w:lvlOverride":
			i, ok := levelIndex(t)
			if !ok {
				return nil
			}
			return x.Children(func(t ooxml.Token) error {
				switch t.Name {
				case "w:startOverride":
					if v, err := strconv.Atoi(t.Attr("w:val")); err == nil {
						n.override[i] = &v
					}
				case "w:lvl":
					n.levels[i] = &level{start: 1, format: "decimal", restart: -1}
					return n.levels[i].read(x)
				}
				return nil
			})
		}
		return nil
	})
}

func (l *level) read(x *ooxml.Reader) error {
	l.format = "decimal" // when numFmt is left out
	return x.Children(func(t ooxml.Token) error {
		val := t.Attr("w:val")
		switch t.Name {
		case "w:start":
			if n, err := strconv.Atoi(val); err == nil {
				l.start = n
			}
		case "w:numFmt":
			l.format = val
		case "w:lvlText":
			l.text = val
		case "w:pStyle":
			l.style = val
		case "w:isLgl":
			l.legal = on(t)
		case "w:lvlRestart":
			if n, err := strconv.Atoi(val); err == nil {
				l.restart = n
			}
		case "mc:AlternateContent": // <mc:Choice><w:numFmt w:val="custom" .../>, then the fallback
			return x.Children(func(t ooxml.Token) error {
				if t.Name != "mc:Fallback" {
					return nil
				}
				return x.Children(func(t ooxml.Token) error {
					if t.Name == "w:numFmt" {
						l.format = t.Attr("w:val")
					}
					return nil
				})
			})
		}
		return nil
	})
}

// link connects lists with their definitions, also those that are defined by
// way of a list style.
func (l *lists) link(s styles) {
	byStyle := map[string]*abstractList{}
	for _, a := range l.ordered {
		if a.style != "" && a.styleLink == "" && byStyle[a.style] == nil {
			byStyle[a.style] = a
		}
	}
	for _, n := range l.nums {
		n.def = l.abstract[n.abstractID]
		if n.def == nil || n.def.styleLink == "" {
			continue
		}
		if a := byStyle[n.def.styleLink]; a != nil {
			n.def = a
		} else if st := s.byID[n.def.styleLink]; st != nil {
			if target := l.nums[st.list.id]; target != nil && l.abstract[target.abstractID] != nil {
				n.def = l.abstract[target.abstractID]
			}
		}
	}
}

// item counts a paragraph of a list and returns its label. ok is false when
// the paragraph shows neither number nor bullet.
func (l *lists) item(ref listRef, styleID string) (label string, depth int, ok bool) {
	n := l.nums[ref.id]
	if n == nil || n.def == nil {
		return "", 0, false
	}
	i := ref.level
	if !ref.leveld && styleID != "" {
		for j := range n.def.levels {
			if n.def.levels[j].style == styleID {
				i = j
				break
			}
		}
	}
	lvl := n.level(i)
	n.count(i)
	switch {
	case lvl.format == "bullet":
		return "", i, true
	case lvl.format == "none" || lvl.text == "":
		return "", i, false
	}
	return n.label(i), i, true
}

func (n *list) level(i int) level {
	if n.levels[i] != nil {
		return *n.levels[i]
	}
	return n.def.levels[i]
}

func (n *list) count(i int) {
	d := n.def
	switch {
	case n.override[i] != nil && !n.used[i]:
		d.counters[i] = *n.override[i]
	case !d.started[i]:
		d.counters[i] = n.level(i).start
	default:
		d.counters[i]++
	}
	d.started[i], n.used[i] = true, true
	for j := range i { // levels above that were skipped count as begun
		if !d.started[j] {
			d.counters[j], d.started[j] = n.level(j).start, true
		}
	}
	for j := i + 1; j < maxLevels; j++ {
		if r := n.level(j).restart; r < 0 || r > 0 && i < r {
			d.started[j] = false
		}
	}
}

// label fills the numbers of all levels into the level's text.
func (n *list) label(i int) string {
	lvl := n.level(i)
	var b strings.Builder
	for k := 0; k < len(lvl.text); k++ {
		c := lvl.text[k]
		if c != '%' || k+1 >= len(lvl.text) || lvl.text[k+1] < '1' || lvl.text[k+1] > '9' {
			b.WriteByte(c)
			continue
		}
		k++
		j := int(lvl.text[k] - '1')
		format := n.level(j).format
		if lvl.legal {
			format = "decimal"
		}
		value := n.def.counters[j]
		if j > i {
			value = n.level(j).start
		}
		b.WriteString(numeral(value, format))
	}
	return strings.TrimSpace(b.String())
}
