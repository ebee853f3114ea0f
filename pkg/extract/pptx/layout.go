package pptx

import (
	"github.com/docsvc/docsvc/pkg/extract/arrange"
	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/ooxml"
)

// Bounds on what is kept of one layout or master.
const (
	maxHolders = 500
	maxStatic  = 100
	maxLayouts = 1000
)

// holder is what a shape says of the place in the layout that it fills.
type holder struct {
	is     bool // it fills one at all
	hidden bool
	kind   string // "title", "body", "ftr"; "" for a place for anything
	idx    string
}

func (h holder) isTitle() bool { return h.kind == "title" || h.kind == "ctrTitle" }

// base is the kind under which a master has it.
func (h holder) base() string {
	switch h.kind {
	case "ctrTitle":
		return "title"
	case "dt", "ftr", "sldNum", "hdr", "title":
		return h.kind
	}
	return "body"
}

// readHolder reads a p:nvSpPr or its like.
func readHolder(x *ooxml.Reader) (holder, error) {
	var h holder
	err := x.Children(func(t ooxml.Token) error {
		switch t.Name {
		case "p:cNvPr":
			v := t.Attr("hidden")
			h.hidden = v == "1" || v == "true"
		case "p:nvPr":
			return x.Children(func(t ooxml.Token) error {
				if t.Name == "p:ph" {
					h.is, h.kind, h.idx = true, t.Attr("type"), t.Attr("idx")
				}
				return nil
			})
		}
		return nil
	})
	return h, err
}

// layout is what slides inherit: from a layout, and from its master.
type layout struct {
	holders []inherited
	body    levels   // of text in places for text; of a master
	static  []string // text of its own, which shows on every slide
	alone   bool     // what its master shows isn't shown
	master  *layout  // nil for a master
}

// inherited is one place of a layout.
type inherited struct {
	holder
	arrange.Box
	levels levels
}

// layoutOf reads a layout or master, once. Damage in it is noted: the text of
// the slides is there without it.
func (d *document) layoutOf(part string, isMaster bool) (*layout, error) {
	if l, ok := d.layouts[part]; ok {
		return l, nil
	}
	l := &layout{}
	if len(d.layouts) >= maxLayouts {
		return l, nil
	}
	d.layouts[part] = l
	err := d.pkg.Read(d.ctx, part, func(x *ooxml.Reader, root ooxml.Token) error {
		l.alone = off(root.Attr("showMasterSp"))
		return x.Children(func(t ooxml.Token) error {
			switch t.Name {
			case "p:cSld":
				return tree(x, func(t ooxml.Token) error { return l.shapes(x, t) })
			case "p:txStyles":
				return x.Children(func(t ooxml.Token) error {
					if t.Name != "p:bodyStyle" {
						return nil
					}
					var err error
					l.body, err = readLevels(x)
					return err
				})
			}
			return nil
		})
	})
	if err := ooxml.Tolerate(d.sink, err, "layout of slides"); err != nil || isMaster {
		return l, err
	}
	rels, err := d.pkg.Relationships(d.ctx, part)
	if err := ooxml.Tolerate(d.sink, err, "layout of slides"); err != nil {
		return l, err
	}
	for _, r := range rels {
		if r.Type == "slideMaster" && !r.External {
			if l.master, err = d.layoutOf(r.Target, true); err != nil {
				return l, err
			}
		}
	}
	return l, nil
}

func (l *layout) shapes(x *ooxml.Reader, t ooxml.Token) error {
	switch t.Name {
	case "p:sp":
		return l.shape(x)
	case "p:grpSp":
		return x.Children(func(t ooxml.Token) error { return l.shapes(x, t) })
	}
	return nil
}

// shape reads a p:sp: a place to be filled, or text of the layout's own.
func (l *layout) shape(x *ooxml.Reader) error {
	var in inherited
	var text string
	err := x.Children(func(t ooxml.Token) error {
		var err error
		switch t.Name {
		case "p:nvSpPr":
			in.holder, err = readHolder(x)
		case "p:spPr":
			err = x.Children(func(t ooxml.Token) error {
				if t.Name == "a:xfrm" {
					return transform(x, &in.Box)
				}
				return nil
			})
		case "p:txBody":
			p := &paragraphs{x: x}
			text, err = p.flat()
			in.levels = p.levels
		}
		return err
	})
	switch {
	case in.is && len(l.holders) < maxHolders:
		l.holders = append(l.holders, in)
	case !in.is && !in.hidden && text != "" && len(l.static) < maxStatic:
		l.static = append(l.static, text)
	}
	return err
}

// find is the place that a shape of a slide fills.
func (l *layout) find(h holder) (inherited, bool) {
	for _, in := range l.holders {
		if h.idx != "" && in.idx == h.idx {
			return in, true
		}
	}
	for _, in := range l.holders {
		if in.base() == h.base() && (h.idx == "" || h.base() != "body") {
			return in, true
		}
	}
	return inherited{}, false
}

// place is where a shape stands that doesn't say so itself.
func (l *layout) place(h holder) arrange.Box {
	for ; l != nil && h.is; l = l.master {
		if in, ok := l.find(h); ok {
			if in.Placed {
				return in.Box
			}
			h = in.holder
		}
		h.idx = "" // a master has one place of each kind
	}
	return arrange.Box{}
}

// levels are the marks of lists that a shape inherits.
func (l *layout) levels(h holder) levels {
	var all levels
	if !h.is {
		return all
	}
	body := h.base() == "body"
	for ; l != nil; l = l.master {
		if in, ok := l.find(h); ok {
			all = all.over(in.levels)
			h = in.holder
		}
		h.idx = ""
		if body {
			all = all.over(l.body)
		}
	}
	return all
}

// sayStatic gives the text of the layout's and master's own, once each.
func (l *layout) sayStatic(s *slide) error {
	for ; l != nil; l = l.master {
		for _, text := range l.static {
			if err := s.d.asideOnce(block.Block{Kind: block.Header, Page: s.n, Text: text}); err != nil {
				return err
			}
		}
		if l.alone {
			return nil
		}
	}
	return nil
}
