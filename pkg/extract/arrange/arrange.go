// Package arrange puts the shapes of a slide into the order in which they are
// read.
package arrange

import (
	"cmp"
	"slices"
)

// maxOrdered bounds how many shapes are put into order; more of them make a
// picture, not a text.
const maxOrdered = 300

// Box is a place on a slide, in any unit.
type Box struct {
	X, Y, W, H int64
	Placed     bool // it has a place
}

// Shape is what has a place on a slide, and may be its title.
type Shape interface {
	Place() Box
	IsTitle() bool
}

// InOrder puts shapes into the order in which they are read: the title, then
// the others as gaps divide them, first into columns, then into rows, and so
// on. Shapes that no gap divides stay in the order of the file, as do all when
// one has no place.
func InOrder[S Shape](items []S) []S {
	titles, rest := make([]S, 0, len(items)), make([]S, 0, len(items))
	placed := true
	for _, it := range items {
		if it.IsTitle() {
			titles = append(titles, it)
			continue
		}
		rest = append(rest, it)
		placed = placed && it.Place().Placed
	}
	if placed && len(rest) <= maxOrdered {
		rest = divide(rest)
	}
	return append(titles, rest...)
}

func divide[S Shape](items []S) []S {
	if len(items) < 2 {
		return items
	}
	parts := split(items, func(b Box) (int64, int64) { return b.X, b.W })
	if len(parts) == 1 {
		parts = split(items, func(b Box) (int64, int64) { return b.Y, b.H })
	}
	if len(parts) == 1 {
		return items
	}
	var all []S
	for _, p := range parts {
		all = append(all, divide(p)...)
	}
	return all
}

// split divides shapes where a gap lies between them in one direction. Frames
// are larger than the text in them: those that overlap by less than a fifth of
// the smaller one count as apart.
func split[S Shape](items []S, extent func(Box) (start, length int64)) [][]S {
	order := make([]int, len(items))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		x, _ := extent(items[a].Place())
		y, _ := extent(items[b].Place())
		return cmp.Compare(x, y)
	})
	var groups [][]int
	end, smallest := int64(0), int64(0)
	for _, i := range order {
		start, length := extent(items[i].Place())
		if len(groups) == 0 || start >= end-min(smallest, length)/5 {
			groups = append(groups, nil)
			end, smallest = start+length, length
		}
		last := len(groups) - 1
		groups[last] = append(groups[last], i)
		end, smallest = max(end, start+length), min(smallest, length)
	}
	parts := make([][]S, len(groups))
	for g, members := range groups {
		slices.Sort(members) // back to the order of the file
		for _, i := range members {
			parts[g] = append(parts[g], items[i])
		}
	}
	return parts
}
