package block

import "strings"

const (
	// spanMost is the longest text that stands in each place its cell spans, in bytes: longer ones
	// are no label of rows or columns.
	spanMost = 200
	// spanFree is how much may be repeated in a table however little is in it, in bytes.
	spanFree = 4 << 10
)

// Spans says which texts of one table stand in every place that their cells
// span. A cell over several rows, or a header over several columns, holds for
// each of them: without its text a row says nothing once it stands in another
// chunk than the first. What is repeated is never more than the table itself.
type Spans struct{ own, repeated int }

// Own notes the text of a cell as it stands in the file.
func (s *Spans) Own(text string) { s.own += len(text) }

// Again is the text for another place that a cell spans: that of the cell, or
// nothing when it is long.
func (s *Spans) Again(text string) string {
	if len(text) > spanMost || strings.Contains(text, "\n") || s.repeated+len(text) > s.own+spanFree {
		return ""
	}
	s.repeated += len(text)
	return text
}
