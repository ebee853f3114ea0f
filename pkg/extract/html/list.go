package html

import (
	"strconv"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// maxLists bounds how many open lists are told apart; deeper ones are counted.
const maxLists = 64

// listStack is the lists that are open.
type listStack struct {
	lists []list
	over  int // open lists beyond maxLists
	// pending is set between <li> and the first text of the item.
	pending bool
	label   string
}

type list struct {
	ordered bool
	next    int
	style   string // type attribute: 1 a A i I
}

func (s *listStack) push(ordered bool, attrs map[string]string) {
	if len(s.lists) >= maxLists {
		s.over++
		return
	}
	l := list{ordered: ordered, next: 1, style: attrs["type"]}
	if n, err := strconv.Atoi(strings.TrimSpace(attrs["start"])); err == nil {
		l.next = n
	}
	s.lists = append(s.lists, l)
	s.pending = false
}

func (s *listStack) pop() {
	s.pending = false
	switch {
	case s.over > 0:
		s.over--
	case len(s.lists) > 0:
		s.lists = s.lists[:len(s.lists)-1]
	}
}

// item begins a list item; outside of any list it has a plain bullet.
func (s *listStack) item(attrs map[string]string) {
	s.pending, s.label = true, ""
	if len(s.lists) == 0 {
		return
	}
	l := &s.lists[len(s.lists)-1]
	if !l.ordered {
		return
	}
	if n, err := strconv.Atoi(strings.TrimSpace(attrs["value"])); err == nil {
		l.next = n
	}
	s.label = number(l.next, l.style) + "."
	l.next++
}

func (s *listStack) endItem() { s.pending = false }

// take returns the label and nesting of the open item for its first text.
func (s *listStack) take() (label string, level int, first bool) {
	if !s.pending {
		return "", 0, false
	}
	s.pending = false
	return s.label, max(0, len(s.lists)-1), true
}

func number(n int, style string) string {
	switch style {
	case "a", "A":
		if n < 1 {
			break
		}
		s := ""
		for ; n > 0; n = (n - 1) / 26 {
			s = string(rune('a'+(n-1)%26)) + s
		}
		if style == "A" {
			s = strings.ToUpper(s)
		}
		return s
	case "I":
		return block.Roman(n)
	case "i":
		return strings.ToLower(block.Roman(n))
	}
	return strconv.Itoa(n)
}
