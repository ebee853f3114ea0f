package eml

import (
	"bytes"
	"io"
	"mime"
	netmail "net/mail"
	"net/url"
	"regexp"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/charset"
	"github.com/docsvc/docsvc/pkg/extract/mail"
)

const (
	// maxHeader bounds the fields kept of one header, in bytes; the rest is passed over.
	maxHeader = 256 << 10
	// lookAhead is how many lines after one that is no field are searched for a field.
	lookAhead = 512
)

// wanted are the fields that are kept.
func wanted(name string) bool {
	switch name {
	case "from", "to", "cc", "date", "subject", "content-type", "content-transfer-encoding", "content-disposition", "content-language", "content-description", "content-id":
		return true
	}
	return false
}

// header holds the wanted fields of a message or part, unfolded, by name in
// lower case. Of two with the same name the first counts.
type header map[string]string

func (h header) raw(name string) string { return h[name] }

// fieldName is the name of the field that a line begins, "" when it is none.
func fieldName(line []byte) string {
	i := bytes.IndexByte(line, ':')
	if i <= 0 {
		return ""
	}
	name := bytes.TrimRight(line[:i], " \t")
	for _, c := range name {
		if c <= ' ' || c >= 0x7f {
			return ""
		}
	}
	return strings.ToLower(string(name))
}

// readHeader reads fields up to the empty line after them. A line that is
// none is passed over when a field follows it, else the body begins with it.
func (x *indexer) readHeader(h *header) error {
	*h = header{}
	name, kept := "", 0
	fresh := true // the next piece begins a line
	for first := true; ; first = false {
		if fresh {
			if next, _ := x.br.Peek(2); x.atBoundary(next) {
				return nil
			}
			if body, err := x.bodyBegins(first); body || err != nil {
				return err
			}
		}
		line, whole, err := x.line()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		begins := fresh
		fresh = whole
		text := trimEnd(line)
		switch {
		case begins && len(text) == 0:
			return nil
		case !begins, text[0] == ' ', text[0] == '\t':
		default:
			if name = fieldName(text); !wanted(name) || (*h)[name] != "" {
				name = ""
			}
			_, text, _ = bytes.Cut(text, []byte(":"))
		}
		if name != "" && kept < maxHeader {
			kept += len(text) + len(name)
			sep := ""
			if begins && (*h)[name] != "" {
				sep = " "
			}
			(*h)[name] += sep + string(bytes.Trim(text, " \t"))
		}
	}
}

// atBoundary reports whether the next line, of which the start is given,
// separates parts: the header ended without an empty line then.
func (x *indexer) atBoundary(start []byte) bool {
	if len(x.open) == 0 || string(start) != "--" {
		return false
	}
	line, _ := x.br.Peek(200)
	if i := bytes.IndexByte(line, '\n'); i >= 0 {
		line = line[:i+1]
	}
	i, _ := x.boundary(line)
	return i >= 0
}

// bodyBegins reports whether the next line is of the body although no empty
// line stands before it.
func (x *indexer) bodyBegins(first bool) (bool, error) {
	ahead, err := x.br.Peek(lookAhead)
	if len(ahead) == 0 && err != io.EOF {
		return false, err
	}
	line, rest, more := bytes.Cut(ahead, []byte("\n"))
	switch {
	case len(trimEnd(line)) == 0, fieldName(line) != "", !first && (line[0] == ' ' || line[0] == '\t'):
		return false, nil
	case first && (bytes.HasPrefix(line, []byte("From ")) || bytes.HasPrefix(line, []byte(">From "))):
		return false, nil // the mark of an mbox
	}
	next, _, _ := bytes.Cut(rest, []byte("\n"))
	return !more || fieldName(next) == "", nil
}

// field is a field's text, decoded and on one line.
func (h header) field(name string) string {
	return strings.Join(strings.Fields(block.Clean(decodeWords(h[name]))), " ")
}

// head is what the header says of the message.
func (h header) head() mail.Head {
	m := mail.Head{Subject: h.field("subject"), From: h.field("from"), To: h.field("to"), Cc: h.field("cc"), Date: h.field("date")}
	if t, err := netmail.ParseDate(m.Date); err == nil && t.Year() > 1 && t.Year() < 10000 {
		t = t.UTC()
		m.Sent = &t
	}
	if l := h.field("content-language"); l != "" && len(l) <= 35 && !strings.ContainsAny(l, ", ;") {
		m.Language = l
	}
	return m
}

// encodedWord is one of RFC 2047, with the liberties that writers take.
var encodedWord = regexp.MustCompile(`=\?([^?\s]+)\?([bBqQ])\?([^?]*)\?=`)

// decodeWords decodes the encoded words of a field. Neighbours in one charset
// are decoded together: many writers cut characters in two between them.
func decodeWords(s string) string {
	var out strings.Builder
	var raw []byte
	var set string
	flush := func() {
		if len(raw) > 0 {
			out.WriteString(toUTF8(raw, set))
		}
		raw, set = nil, ""
	}
	for {
		m := encodedWord.FindStringSubmatchIndex(s)
		if m == nil {
			break
		}
		between := s[:m[0]]
		if len(raw) == 0 || strings.TrimSpace(between) != "" {
			flush()
			out.WriteString(toUTF8([]byte(between), ""))
		}
		name, _, _ := strings.Cut(s[m[2]:m[3]], "*") // RFC 2231 adds the language
		if !strings.EqualFold(name, set) {
			flush()
			set = name
		}
		word := s[m[6]:m[7]]
		if c := s[m[4]]; c == 'b' || c == 'B' {
			raw = append(raw, decodeBase64([]byte(word))...)
		} else {
			raw = append(raw, decodeQuoted([]byte(strings.ReplaceAll(word, "_", " ")), true)...)
		}
		s = s[m[1]:]
	}
	flush()
	out.WriteString(toUTF8([]byte(s), ""))
	return out.String()
}

// toUTF8 decodes text that was declared to be of a charset. What says nothing,
// or is said of everything, isn't believed.
func toUTF8(raw []byte, declared string) string {
	switch strings.ToLower(declared) {
	case "us-ascii", "ascii", "7bit", "8bit", "unknown-8bit", "x-unknown", "unknown", "default":
		declared = ""
	}
	b, err := io.ReadAll(charset.FindBytes(raw, declared).Reader(bytes.NewReader(raw)))
	if err != nil {
		return string(raw)
	}
	return string(b)
}

// mediaType reads a Content-Type or Content-Disposition field: its value in
// lower case, and the parameters.
func mediaType(field string) (string, map[string]string) {
	if t, params, err := mime.ParseMediaType(field); err == nil {
		return t, params
	}
	value, rest, _ := strings.Cut(field, ";")
	value, _, _ = strings.Cut(strings.TrimSpace(value), " ")
	params := map[string]string{}
	for rest != "" && len(params) < 64 {
		var key, val string
		key, rest, _ = strings.Cut(rest, "=")
		if i := strings.LastIndexByte(key, ';'); i >= 0 {
			key = key[i+1:]
		}
		key = strings.ToLower(strings.TrimSpace(key))
		rest = strings.TrimLeft(rest, " \t")
		if strings.HasPrefix(rest, `"`) {
			val, rest, _ = strings.Cut(rest[1:], `"`)
		} else {
			end := strings.IndexAny(rest, "; \t")
			if end < 0 {
				end = len(rest)
			}
			val, rest = rest[:end], rest[end:]
		}
		key, val = extended(key, val)
		if _, ok := params[key]; !ok && key != "" {
			params[key] = val
		}
	}
	return strings.ToLower(strings.TrimSpace(value)), params
}

// extended reads a parameter in the form of RFC 2231 that isn't split.
func extended(key, val string) (string, string) {
	name, ok := strings.CutSuffix(key, "*")
	if !ok {
		return key, val
	}
	set, text, ok := strings.Cut(val, "'")
	if _, rest, more := strings.Cut(text, "'"); ok && more {
		if plain, err := url.PathUnescape(rest); err == nil {
			return name, toUTF8([]byte(plain), set)
		}
	}
	return name, val
}

// encoding is how the body of a part is encoded.
func (p *part) encoding() string {
	e := strings.ToLower(strings.TrimSpace(p.raw("content-transfer-encoding")))
	if i := strings.IndexAny(e, "; \t("); i >= 0 {
		e = e[:i]
	}
	return strings.Trim(e, `"'`)
}

// disposition is what the sender wants done with a part: "inline",
// "attachment", or "" when there is no telling.
func (p *part) disposition() (string, map[string]string) {
	return mediaType(p.raw("content-disposition"))
}

// name of the file that a part was, "" when it has none.
func (p *part) name() string {
	_, d := p.disposition()
	for _, n := range []string{d["filename"], p.params["name"]} {
		if n = strings.Join(strings.Fields(block.Clean(decodeWords(n))), " "); n != "" {
			return n
		}
	}
	if p.mediaType == "message/rfc822" && len(p.kids) > 0 {
		return p.kids[0].field("subject")
	}
	return p.field("content-description")
}
