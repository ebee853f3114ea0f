package markdown

import (
	"regexp"
	"strings"
)

// tabStop is the distance of tab stops that CommonMark counts with.
const tabStop = 4

// measure is a line's indent in columns, and the line without it.
func measure(line string) (indent int, text string) {
	for i := range len(line) {
		switch line[i] {
		case ' ':
			indent++
		case '\t':
			indent += tabStop - indent%tabStop
		default:
			return indent, line[i:]
		}
	}
	return indent, ""
}

// cut removes up to n columns of indent.
func cut(line string, n int) string {
	column := 0
	for i := range len(line) {
		if column >= n {
			return line[i:]
		}
		switch line[i] {
		case ' ':
			column++
		case '\t':
			next := column + tabStop - column%tabStop
			if next > n {
				return strings.Repeat(" ", next-n) + line[i+1:]
			}
			column = next
		default:
			return line[i:]
		}
	}
	return ""
}

// unquote removes the marks of a quote, however many, from a line.
func unquote(line string) (text string, quoted bool) {
	for {
		indent, rest := measure(line)
		if indent > 3 || !strings.HasPrefix(rest, ">") {
			return line, quoted
		}
		line, quoted = strings.TrimPrefix(rest[1:], " "), true
	}
}

// atx reads a heading marked by number signs; level 0 is none.
func atx(text string) (level int, heading string) {
	for level < len(text) && text[level] == '#' {
		level++
	}
	if level == 0 || level > 6 {
		return 0, ""
	}
	rest := text[level:]
	if rest != "" && rest[0] != ' ' && rest[0] != '\t' {
		return 0, ""
	}
	rest = strings.TrimSpace(rest)
	if closed := strings.TrimRight(rest, "#"); closed == "" || strings.HasSuffix(closed, " ") {
		rest = strings.TrimSpace(closed)
	}
	return level, rest
}

// fenceOf is the run of marks that opens fenced code, "" for other lines.
func fenceOf(text string) string {
	n := 0
	for n < len(text) && (text[0] == '`' || text[0] == '~') && text[n] == text[0] {
		n++
	}
	if n < 3 || text[0] == '`' && strings.Contains(text[n:], "`") {
		return ""
	}
	return text[:n]
}

// isSetext reports a line that makes a heading of the paragraph above it.
func isSetext(text string) bool {
	return text != "" && (text[0] == '=' || text[0] == '-') && strings.Trim(text, text[:1]) == ""
}

// isRule reports a thematic break.
func isRule(text string) bool {
	if text[0] != '-' && text[0] != '*' && text[0] != '_' {
		return false
	}
	n := 0
	for i := range len(text) {
		switch text[i] {
		case text[0]:
			n++
		case ' ', '\t':
		default:
			return false
		}
	}
	return n >= 3
}

// startsBlock reports whether a line after a quote can't be the lazy rest of
// the paragraph in it.
func startsBlock(line string) bool {
	_, text := measure(line)
	if text == "" {
		return true
	}
	level, _ := atx(text)
	return level > 0 || fenceOf(text) != "" || isRule(text) || strings.HasPrefix(text, "- ") || strings.HasPrefix(text, "* ") || strings.HasPrefix(text, "+ ")
}

var (
	htmlBlock = regexp.MustCompile(`(?i)^</?(address|article|aside|base|blockquote|body|caption|center|col|colgroup|dd|details|dialog|dir|div|dl|dt|fieldset|figcaption|figure|footer|form|frame|frameset|h[1-6]|head|header|hr|html|iframe|legend|li|link|main|menu|menuitem|nav|noframes|ol|optgroup|option|p|param|search|section|summary|table|tbody|td|tfoot|th|thead|title|tr|track|ul|pre|script|style|textarea)(\s|/?>|$)`)
	// htmlLine is a line with one complete tag of any name, which doesn't end a paragraph.
	htmlLine = regexp.MustCompile(`^</?[A-Za-z][A-Za-z0-9-]*(\s[^<>]*)?/?>$`)
	note     = regexp.MustCompile(`^\[\^([^\]\s]{1,64})\]:[ \t]*(.*)$`)
)

// startsHTML reports a line that begins a block of HTML; inParagraph leaves
// out what can't interrupt one.
func startsHTML(text string, inParagraph bool) bool {
	if text[0] != '<' || len(text) < 2 {
		return false
	}
	return strings.HasPrefix(text, "<!--") || strings.HasPrefix(text, "<?") || htmlBlock.MatchString(text) || !inParagraph && htmlLine.MatchString(text)
}

// htmlEnd is what ends the block of HTML that a line begins; "" for a blank
// line.
func htmlEnd(text string) string {
	lower := strings.ToLower(text)
	switch {
	case strings.HasPrefix(text, "<!--"):
		return "-->"
	case strings.HasPrefix(text, "<?"):
		return "?>"
	}
	for _, name := range []string{"pre", "script", "style", "textarea"} {
		if strings.HasPrefix(lower, "<"+name) {
			return "</" + name + ">"
		}
	}
	return ""
}

// footnote reads the start of a footnote's text.
func footnote(text string) (label, rest string, ok bool) {
	m := note.FindStringSubmatch(text)
	if m == nil {
		return "", "", false
	}
	return m[1], m[2], true
}

// uncommented is text without HTML comments, which nobody was to see.
func uncommented(text string) string {
	if !strings.Contains(text, "<!--") {
		return text
	}
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(text, "<!--")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		_, after, ok := strings.Cut(rest, "-->")
		if !ok {
			return b.String() + "<!--" + rest
		}
		text = after
	}
}

var (
	inlineImage = regexp.MustCompile(`!\[([^\[\]]*)\](\([^()]*\)|\[[^\[\]]*\])`)
	inlineLink  = regexp.MustCompile(`\[([^\[\]]*)\](\([^()]*\)|\[[^\[\]]*\])`)
	inlineMark  = regexp.MustCompile("(\\*{1,3}|`+|~~|\\b_{1,3}|_{1,3}\\b)")
	inlineTag   = regexp.MustCompile(`</?[A-Za-z][^<>]*>`)
	headingID   = regexp.MustCompile(`\s*\{[#.][^{}]*\}\s*$`)
)

// plainInline is the text of a heading without inline marks.
func plainInline(text string) string {
	text = headingID.ReplaceAllString(uncommented(text), "")
	text = inlineImage.ReplaceAllString(text, "$1")
	text = inlineLink.ReplaceAllString(text, "$1")
	text = inlineTag.ReplaceAllString(text, "")
	return inlineMark.ReplaceAllString(text, "")
}
