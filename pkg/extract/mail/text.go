package mail

import (
	"strings"
	"unicode/utf8"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// pieceSize is how much of a paragraph is handed over at once, in bytes.
const pieceSize = 256 << 10

// Plain reports a plain text: blank lines end a paragraph, and so does a
// change between what the sender wrote and what is quoted.
func (w *Writer) Plain(text string) error {
	p := paragraph{put: w.Put, kind: block.Paragraph}
	for rest := block.Clean(text); rest != ""; {
		var line string
		line, rest, _ = strings.Cut(rest, "\n")
		line, quoted := unquote(strings.TrimRight(line, " \t"))
		kind := block.Paragraph
		if quoted {
			kind = block.Quote
		}
		if line == "" || kind != p.kind {
			if err := p.end(); err != nil {
				return err
			}
			p.kind = kind
		}
		if line == "" {
			continue
		}
		if err := p.line(line); err != nil {
			return err
		}
	}
	return p.end()
}

// paragraph is one that is being read. A long one is handed over in pieces.
type paragraph struct {
	put       func(block.Block) error
	kind      block.Kind
	text      strings.Builder
	continues bool // some of it is handed over
}

func (p *paragraph) line(line string) error {
	if p.text.Len() > 0 || p.continues {
		p.text.WriteByte('\n')
	}
	for {
		n := min(len(line), pieceSize)
		for n < len(line) && !utf8.RuneStart(line[n]) {
			n++
		}
		p.text.WriteString(line[:n])
		line = line[n:]
		if p.text.Len() >= pieceSize {
			if err := p.emit(); err != nil {
				return err
			}
			p.continues = true
		}
		if line == "" {
			return nil
		}
	}
}

func (p *paragraph) emit() error {
	if p.text.Len() == 0 {
		return nil
	}
	text := p.text.String()
	p.text.Reset()
	return p.put(block.Block{Kind: p.kind, Text: text, Continues: p.continues})
}

func (p *paragraph) end() error {
	err := p.emit()
	p.continues = false
	return err
}

// unquote takes the marks of a quotation off a line.
func unquote(line string) (string, bool) {
	if !strings.HasPrefix(line, ">") || strings.HasPrefix(line, ">From ") {
		return line, false
	}
	for strings.HasPrefix(line, ">") {
		line = strings.TrimPrefix(line[1:], " ")
	}
	return strings.TrimLeft(line, " \t"), true
}

// Unflow joins the lines of format=flowed (RFC 3676): one that ends with a
// blank goes on in the next when that is quoted as deep; without the blank when
// delsp is set.
func Unflow(text string, delsp bool) string {
	var out strings.Builder
	out.Grow(len(text))
	open := -1 // depth of the line that goes on, -1 for none
	for _, line := range strings.SplitAfter(strings.ReplaceAll(text, "\r\n", "\n"), "\n") {
		end := strings.HasSuffix(line, "\n")
		line = strings.TrimSuffix(line, "\n")
		depth := 0
		for depth < len(line) && line[depth] == '>' {
			depth++
		}
		body := strings.TrimPrefix(line[depth:], " ") // stuffed
		signature := body == "-- "
		if open >= 0 && (open != depth || signature) {
			out.WriteByte('\n')
			open = -1
		}
		if open < 0 && depth > 0 {
			out.WriteString(line[:depth] + " ")
		}
		flows := strings.HasSuffix(body, " ") && !signature && end
		if flows && delsp {
			body = body[:len(body)-1]
		}
		out.WriteString(body)
		switch {
		case flows:
			open = depth
		case end:
			out.WriteByte('\n')
			open = -1
		}
	}
	return out.String()
}
