package markdown

import (
	"io"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/ooxml"
	"github.com/docsvc/docsvc/pkg/extract/textline"
)

// frontMatter reads metadata between "---" lines (YAML) or "+++" lines (TOML)
// at the start of a file, of which it understands single values. Lines that
// turn out to be none are returned to be read as text.
func (p *parser) frontMatter(r *textline.Reader) (lines []string, err error) {
	for len(lines) < maxFrontMatter {
		raw, whole, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		line := strings.TrimRight(strings.TrimPrefix(string(raw), "\ufeff"), " \t")
		lines = append(lines, line)
		switch {
		case len(lines) == 1 && line != "---" && line != "+++", !whole:
			return lines, nil
		case len(lines) > 1 && (line == lines[0] || lines[0] == "---" && line == "..."):
			if m, ok := metadata(lines[1 : len(lines)-1]); ok {
				return nil, p.sink.Meta(m)
			}
			return lines, nil
		}
	}
	return lines, nil
}

// metadata reads "key: value" and "key = value" lines. ok is false when none
// looks like that.
func metadata(lines []string) (m block.Metadata, ok bool) {
	for i, line := range lines {
		at := strings.IndexAny(line, ":=")
		if at <= 0 || line[0] == ' ' || line[0] == '-' || strings.ContainsAny(line[:at], " \t") && line[at] == ':' {
			continue
		}
		ok = true
		key := strings.ToLower(strings.TrimSpace(line[:at]))
		value := scalar(line[at+1:])
		if value == "" && i+1 < len(lines) {
			if next := strings.TrimSpace(lines[i+1]); strings.HasPrefix(next, "- ") {
				value = scalar(next[2:])
			}
		}
		switch key {
		case "title":
			m.Title = value
		case "author", "authors", "creator":
			m.Author = value
		case "lang", "language", "locale":
			m.Language = value
		case "date", "created", "publishdate", "date_created":
			if m.Created == nil {
				m.Created = ooxml.Time(value)
			}
		case "lastmod", "modified", "updated", "last_modified":
			m.Modified = ooxml.Time(value)
		}
	}
	return m, ok
}

// scalar is a value without quotes, brackets and comments.
func scalar(s string) string {
	s = strings.TrimSpace(s)
	if i := strings.Index(s, " #"); i >= 0 && !strings.HasPrefix(s, `"`) && !strings.HasPrefix(s, "'") {
		s = s[:i]
	}
	s = strings.TrimSpace(strings.Trim(s, "[]"))
	for _, q := range []string{`"`, "'"} {
		if len(s) > 1 && strings.HasPrefix(s, q) {
			if end := strings.Index(s[1:], q); end >= 0 {
				s = s[1 : end+1]
			}
		}
	}
	const limit = 1000
	return strings.ToValidUTF8(strings.Join(strings.Fields(block.Clean(s[:min(len(s), limit)])), " "), "")
}
