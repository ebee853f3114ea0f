package pptx

import (
	"cmp"
	"slices"
)

// maxOrdered bounds how many shapes are put into order; more of them make a
// picture, not a text.
const maxOrdered = 300

// inOrder puts shapes into the order in which they are read: the title, then
// the others as gaps divide them, first into columns, then into rows, and so
// on. Shapes that no gap divides stay in the order of the file, as do all when
// one has no place.
func inOrder(items []item) []item {
	titles, rest := make([]item, 0, len(items)), make([]item, 0, len(items))
	placed := true
	for _, it := range items {
		if it.title {
			titles = append(titles, it)
			continue
		}
		rest = append(rest, it)
		placed = placed && it.placed
	}
	if placed && len(rest) <= maxOrdered {
		rest = divide(rest)
	}
	return append(titles, rest...)
}

func divide(items []item) []item {
	if len(items) < 2 {
		return items
	}
	parts := split(items, func(b box) (int64, int64) { return b.x, b.w })
	if len(parts) == 1 {
		parts = split(items, func(b box) (int64, int64) { return b.y, b.h })
	}
	if len(parts) == 1 {
		return items
	}
	var all []item
	for _, p := range parts {
		all = append(all, divide(p)...)
	}
	return all
}

// split divides shapes where a gap lies between them in one direction. Frames
// are larger than the text in them: those that overlap by less than a fifth of
// the smaller one count as apart.
func split(items []item, extent func(box) (start, length int64)) [][]item {
	order := make([]int, len(items))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		x, _ := extent(items[a].box)
		y, _ := extent(items[b].box)
		return cmp.Compare(x, y)
	})
	var groups [][]int
	end, smallest := int64(0), int64(0)
	for _, i := range order {
		start, length := extent(items[i].box)
		if len(groups) == 0 || start >= end-min(smallest, length)/5 {
			groups = append(groups, nil)
			end, smallest = start+length, length
		}
		last := len(groups) - 1
		groups[last] = append(groups[last], i)
		end, smallest = max(end, start+length), min(smallest, length)
	}
	parts := make([][]item, len(groups))
	for g, members := range groups {
		slices.Sort(members) // back to the order of the file
		for _, i := range members {
			parts[g] = append(parts[g], items[i])
		}
	}
	return parts
}
