package chunk

import "github.com/docsvc/docsvc/pkg/extract"

// pack makes chunks of the atoms of a section.
func (s *splitter) pack() {
	prev := 0 // first atom of the chunk before
	for pos := 0; pos < len(s.atoms); {
		first := s.overlap(prev, pos)
		end := s.extend(first, pos)
		for end == pos { // not even one atom fits after the overlap
			first++
			end = s.extend(first, pos)
		}
		tokens := s.measure(s.atoms[first].start, s.atoms[end-1].end)
		// The sum of the parts can be a token or two short of the whole.
		for tokens > s.o.MaxTokens && (first < pos || end > pos+1) {
			if first < pos {
				first++
			} else {
				end--
			}
			tokens = s.measure(s.atoms[first].start, s.atoms[end-1].end)
		}
		s.add(first, end, tokens)
		prev, pos = first, end
	}
}

// overlap is the atom that a chunk with new content from pos on begins with:
// as many of the sentences before as fit, but never all of the chunk before.
func (s *splitter) overlap(prev, pos int) int {
	if pos == 0 || !s.atoms[pos].sentence {
		return pos
	}
	most := s.o.Overlap
	if whole := s.atoms[pos].whole; whole <= s.o.MaxTokens { // a block that would fit must not be divided for it
		most = min(most, s.o.MaxTokens-whole)
	}
	first, sum := pos, 0
	for first > prev+1 && s.atoms[first-1].sentence && !opens(s.spanOf(first-1)) {
		if sum += s.atoms[first-1].tokens; sum > most {
			break
		}
		first--
	}
	return first
}

// extend is the atom after the last one of a chunk that begins at first and
// has new content from pos on.
func (s *splitter) extend(first, pos int) int {
	sum := 0
	for i := first; i < pos; i++ {
		sum += s.atoms[i].tokens
	}
	content := false // there is more than headings among the new atoms
	for i := pos; i < len(s.atoms); i++ {
		a := s.atoms[i]
		if sum+a.tokens > s.o.MaxTokens {
			return i
		}
		// A block that would be divided goes to the next chunk as a whole if it fits there; one that
		// has to be divided anyway begins here unless little room is left.
		if a.whole > 0 && content && sum+a.whole > s.o.MaxTokens && (a.whole <= s.o.MaxTokens || sum > s.o.MaxTokens/2) {
			return i
		}
		sum += a.tokens
		content = content || !opens(s.spanOf(i))
	}
	return len(s.atoms)
}

func (s *splitter) spanOf(atom int) extract.Span { return s.r.Spans[s.atoms[atom].span] }
