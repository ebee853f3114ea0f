package detect

import (
	"bytes"
	"io"
	"regexp"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/charset"
)

// decode is the start of a file as text; ok is false when it isn't text.
func decode(head []byte, size int64) (text string, ok bool) {
	if int64(len(head)) < size {
		head = head[:len(head)-len(head)%4] // whole UTF-16 and UTF-32 characters
	}
	enc := charset.FindBytes(head)
	wide := strings.HasPrefix(enc.Name, "utf-16") || strings.HasPrefix(enc.Name, "utf-32")
	if !wide && isBinary(head) {
		return "", false
	}
	raw, err := io.ReadAll(enc.Reader(bytes.NewReader(head)))
	if err != nil || wide && isBinary(raw) {
		return "", false
	}
	return string(raw), true
}

// isBinary reports whether bytes are no text: they hold a zero, or more than one
// in a hundred is a control character that texts don't have.
func isBinary(b []byte) bool {
	odd := 0
	for _, c := range b {
		switch {
		case c == 0:
			return true
		case c < ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\f' && c != 0x1b && c != '\b' && c != 0x1a:
			odd++
		}
	}
	return odd*100 > len(b)
}

// textFormat tells HTML, Markdown and plain text apart. What says clearly
// that it is HTML is; otherwise what was declared counts, then how it looks.
func textFormat(text string, h hints) Format {
	declared, known := h.format()
	start := opening(text)
	switch {
	case h.reads(EML) && isMail(text, known && declared.Name == EML):
		return formatNamed(EML)
	case isPage(start):
		return formatNamed(HTML)
	case known && declared.Name == CSV && h.reads(CSV):
		return declared
	case known && declared.Name == HTML:
		if anyTag.MatchString(text) {
			return declared
		}
		return formatNamed(Text)
	case known && (declared.Name == Markdown || declared.Name == Text):
		return declared
	case firstTag.MatchString(start):
		return formatNamed(HTML)
	case looksLikeMarkdown(text):
		return formatNamed(Markdown)
	}
	return formatNamed(Text)
}

// mailHeader is a line that only headers of mails begin with.
var mailHeader = regexp.MustCompile(`(?i)^(received|return-path|message-id|mime-version|delivered-to|x-[a-z-]+|from|to|cc|subject|date|reply-to|sender|content-type|content-transfer-encoding|dkim-signature|authentication-results|arc-[a-z-]+|list-[a-z-]+|in-reply-to|references|user-agent|thread-[a-z-]+|importance|bcc):`)

// isMail reports whether a text begins with the header of a mail: at least
// three fields, most of kinds that mails have, two when one of them is MIME's;
// one field is enough when it was declared as one.
func isMail(text string, declared bool) bool {
	fields, all, encoded := 0, 0, false
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSuffix(line, "\r")
		if line == "" {
			break
		}
		known := mailHeader.MatchString(line)
		switch {
		case i == 0 && strings.HasPrefix(line, "From "), line[0] == ' ', line[0] == '\t': // an mbox's mark; a field goes on
			continue
		case known, anyHeader.MatchString(line):
			all++
		default: // the body without an empty line before it, or damage
			return fields > 0 && declared || fields >= 3 && 3*fields >= 2*all
		}
		if known {
			fields++
			encoded = encoded || mimeHeader.MatchString(line)
		}
	}
	return fields > 0 && declared || fields >= 3 && 3*fields >= 2*all || encoded && fields >= 2 && fields == all
}

var mimeHeader = regexp.MustCompile(`(?i)^(mime-version|content-transfer-encoding):`)

var anyHeader = regexp.MustCompile(`^[!-9;-~]+:`)

// opening is the text from its first content on: without byte order mark,
// blanks, XML declaration and comments.
func opening(text string) string {
	for {
		text = strings.TrimLeft(text, "\ufeff \t\r\n\f")
		end := ""
		switch {
		case strings.HasPrefix(text, "<?xml"):
			end = "?>"
		case strings.HasPrefix(text, "<!--"):
			end = "-->"
		default:
			return text
		}
		_, rest, ok := strings.Cut(text, end)
		if !ok {
			return text
		}
		text = rest
	}
}

var (
	pageStart = regexp.MustCompile(`(?i)^<(!doctype\s+html|html|head|body)[\s>]`)
	firstTag  = regexp.MustCompile(`(?i)^<(title|meta|link|style|script|p|div|h[1-6]|table|ul|ol|section|article|main|header|nav|center|font|br|base|frameset)[\s/>]`)
	anyTag    = regexp.MustCompile(`(?i)<(p|div|span|br|a|b|i|em|strong|h[1-6]|table|tr|td|ul|ol|li|img|meta|title|pre|code|font|hr|section|article)(\s[^<>]*)?/?>`)
)

func isPage(start string) bool { return pageStart.MatchString(start) }

var (
	mdHeading  = regexp.MustCompile(`(?m)^ {0,3}#{1,6} +\S`)
	mdFence    = regexp.MustCompile("(?m)^ {0,3}(```|~~~)[\\w+-]*[ \t]*\r?$")
	mdLink     = regexp.MustCompile(`\[[^\]\n]+\]\([^)\s]+\)`)
	mdTable    = regexp.MustCompile(`(?m)^ {0,3}\|?[ \t]*:?-{3,}:?[ \t]*\|[-:| \t]*\r?$`)
	mdList     = regexp.MustCompile(`(?m)^ {0,3}[-*+] +\S`)
	mdEmphasis = regexp.MustCompile(`\*\*[^*\n]+\*\*`)
	mdSetext   = regexp.MustCompile(`(?m)^\S[^\n]*\n(={3,}|-{3,})[ \t]*\r?$`)
	mdImage    = regexp.MustCompile(`!\[[^\]\n]*\]\([^)\s]+\)`)
)

// looksLikeMarkdown wants marks of at least two kinds: a "#" or a list alone
// is in many texts.
func looksLikeMarkdown(text string) bool {
	if strings.HasPrefix(text, "#!") {
		return false
	}
	kinds, score := 0, 0
	for _, m := range []struct {
		re     *regexp.Regexp
		weight int
	}{{mdHeading, 2}, {mdFence, 3}, {mdLink, 2}, {mdTable, 3}, {mdList, 1}, {mdEmphasis, 1}, {mdSetext, 1}, {mdImage, 2}} {
		if m.re.MatchString(text) {
			kinds++
			score += m.weight
		}
	}
	return kinds >= 2 && score >= 3
}
