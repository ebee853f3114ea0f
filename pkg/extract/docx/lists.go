package docx

import (
	"strconv"

	"github.com/docsvc/docsvc/pkg/extract/numbering"
	"github.com/docsvc/docsvc/pkg/extract/ooxml"
)

// maxLists bounds the definitions, and lists, that are kept.
const maxLists = 20000

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
				r.level, r.leveld = min(max(n, 0), numbering.MaxLevels-1), true
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

// abstractList is a definition.
type abstractList struct {
	*numbering.Definition
	styleLink string // defined where this list style is
	style     string // is the definition of this list style
}

type list struct {
	numbering.List
	abstractID string
}

func (l *lists) read(x *ooxml.Reader, _ ooxml.Token) error {
	l.abstract, l.nums = map[string]*abstractList{}, map[string]*list{}
	return x.Children(func(t ooxml.Token) error {
		if len(l.abstract)+len(l.nums) >= maxLists {
			return nil
		}
		switch t.Name {
		case "w:abstractNum":
			a := &abstractList{Definition: numbering.NewDefinition()}
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
				return readLevel(x, &a.Levels[i])
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
	return i, err == nil && i >= 0 && i < numbering.MaxLevels
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
						n.Starts[i] = &v
					}
				case "w:lvl":
					n.Levels[i] = &numbering.Level{Start: 1, Format: "decimal", Restart: -1}
					return readLevel(x, n.Levels[i])
				}
				return nil
			})
		}
		return nil
	})
}

func readLevel(x *ooxml.Reader, l *numbering.Level) error {
	l.Format = "decimal" // when numFmt is left out
	return x.Children(func(t ooxml.Token) error {
		val := t.Attr("w:val")
		switch t.Name {
		case "w:start":
			if n, err := strconv.Atoi(val); err == nil {
				l.Start = n
			}
		case "w:numFmt":
			l.Format = val
		case "w:lvlText":
			l.Text = val
		case "w:pStyle":
			l.Style = val
		case "w:isLgl":
			l.Legal = on(t)
		case "w:lvlRestart":
			if n, err := strconv.Atoi(val); err == nil {
				l.Restart = n
			}
		case "mc:AlternateContent": // <mc:Choice><w:numFmt w:val="custom" .../>, then the fallback
			return x.Children(func(t ooxml.Token) error {
				if t.Name != "mc:Fallback" {
					return nil
				}
				return x.Children(func(t ooxml.Token) error {
					if t.Name == "w:numFmt" {
						l.Format = t.Attr("w:val")
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
		a := l.abstract[n.abstractID]
		if a == nil {
			continue
		}
		if a.styleLink != "" {
			if linked := byStyle[a.styleLink]; linked != nil {
				a = linked
			} else if st := s.byID[a.styleLink]; st != nil {
				if target := l.nums[st.list.id]; target != nil && l.abstract[target.abstractID] != nil {
					a = l.abstract[target.abstractID]
				}
			}
		}
		n.Definition = a.Definition
	}
}

// item counts a paragraph of a list and returns its label. ok is false when
// the paragraph shows neither number nor bullet.
func (l *lists) item(ref listRef, styleID string) (label string, depth int, ok bool) {
	n := l.nums[ref.id]
	if n == nil || n.Definition == nil {
		return "", 0, false
	}
	i := ref.level
	if !ref.leveld && styleID != "" {
		for j := range n.Definition.Levels {
			if n.Definition.Levels[j].Style == styleID {
				i = j
				break
			}
		}
	}
	label, ok = n.Next(i)
	return label, i, ok
}
