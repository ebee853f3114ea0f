package ocr

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// Text is what was recognised on one picture.
type Text struct {
	// Blocks are its paragraphs in reading order, without a page.
	Blocks []block.Block
	// Confidence is the mean of the characters', 0 to 100; 0 without any.
	Confidence float64
}

// leastConfidence is the mean confidence that a paragraph needs to be text:
// what is "read" in a photograph or a pattern has less.
const leastConfidence = 30

// Columns of the table, and the level of a row that is a word.
const (
	levelColumn, blockColumn, paragraphColumn, lineColumn = 0, 2, 3, 4
	confidenceColumn, textColumn                          = 10, 11
	columns                                               = 12
	wordLevel                                             = "5"
)

// header begins the table.
const header = "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext"

// ReadTSV makes paragraphs of a table of words. The error is for what is no
// such table.
func ReadTSV(answer []byte) (*Text, error) {
	rows := lines(answer)
	if !rows.Scan() || strings.TrimRight(rows.Text(), "\r") != header {
		return nil, fmt.Errorf("the answer is not a table of words, but begins %.60q", firstLine(answer))
	}
	r := &reader{}
	for rows.Scan() {
		if err := r.row(strings.TrimRight(rows.Text(), "\r")); err != nil {
			return nil, err
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading the table of words: %w", err)
	}
	r.endParagraph()
	return r.text(), nil
}

// reader goes through the table.
type reader struct {
	out       Text
	confident float64 // sum over the characters kept
	kept      int

	place string // block and paragraph
	line  string
	words []string
	sum   float64 // of the paragraph's confidences, by characters
	runes int
}

func (r *reader) row(row string) error {
	if row == "" {
		return nil
	}
	cells := strings.SplitN(row, "\t", columns)
	if len(cells) < columns-1 {
		return fmt.Errorf("the table of words has a row of %d columns: %.60q", len(cells), row)
	}
	if cells[levelColumn] != wordLevel || len(cells) < columns {
		return nil
	}
	word := block.Clean(strings.TrimSpace(cells[textColumn]))
	if word == "" { // a picture in the picture
		return nil
	}
	confidence, err := strconv.ParseFloat(cells[confidenceColumn], 64)
	if err != nil || confidence < -1 || confidence > 100 {
		return fmt.Errorf("the table of words has a confidence of %.20q", cells[confidenceColumn])
	}
	if place := cells[blockColumn] + "." + cells[paragraphColumn]; place != r.place {
		r.endParagraph()
		r.place, r.line = place, cells[lineColumn]
	}
	r.add(word, cells[lineColumn])
	n := utf8.RuneCountInString(word)
	r.sum += max(confidence, 0) * float64(n)
	r.runes += n
	return nil
}

// add puts a word after those before it: at the beginning of a line it may be
// the rest of one that a hyphen divides.
func (r *reader) add(word, line string) {
	if last := len(r.words) - 1; last >= 0 && line != r.line {
		if before, ok := divided(r.words[last], word); ok {
			r.words[last] = before + word
			r.line = line
			return
		}
	}
	r.line = line
	r.words = append(r.words, word)
}

// divided reports whether a word is the first half of one that next is the
// second half of, and gives it without the hyphen.
func divided(word, next string) (string, bool) {
	for _, hyphen := range []string{"-", "\u2010", "¬"} {
		before, ok := strings.CutSuffix(word, hyphen)
		if !ok {
			continue
		}
		last, _ := utf8.DecodeLastRuneInString(before)
		first, _ := utf8.DecodeRuneInString(next)
		return before, unicode.IsLetter(last) && unicode.IsLower(first)
	}
	return word, false
}

func (r *reader) endParagraph() {
	if r.runes > 0 && r.sum/float64(r.runes) >= leastConfidence {
		r.out.Blocks = append(r.out.Blocks, block.Block{Kind: block.Paragraph, Text: strings.Join(r.words, " ")})
		r.confident += r.sum
		r.kept += r.runes
	}
	r.words = r.words[:0]
	r.sum, r.runes = 0, 0
}

func (r *reader) text() *Text {
	if r.kept > 0 {
		r.out.Confidence = r.confident / float64(r.kept)
	}
	return &r.out
}
