package html

import (
	"bytes"
	"mime"
	"strings"
	"time"

	"golang.org/x/net/html"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/ooxml"
)

// maxMeta bounds the title and each meta element's text, in bytes.
const maxMeta = 4096

// metaData is what the head of a page says of it.
type metaData struct {
	title, altTitle   string // <title>; of a meta element
	author            string
	language          string
	created, modified *time.Time
}

func (m *metaData) metadata() block.Metadata {
	title := m.title
	if title == "" {
		title = m.altTitle
	}
	return block.Metadata{Title: title, Author: m.author, Language: m.language, Created: m.created, Modified: m.modified}
}

// element takes in a <meta>.
func (m *metaData) element(attrs map[string]string) {
	content := short(attrs["content"])
	if content == "" {
		return
	}
	name := strings.ToLower(attrs["name"] + attrs["property"])
	switch name {
	case "author", "dc.creator", "dcterms.creator", "citation_author":
		if m.author == "" {
			m.author = content
		}
	case "og:title", "dc.title", "dcterms.title":
		if m.altTitle == "" {
			m.altTitle = content
		}
	case "dc.language", "dcterms.language":
		m.setLanguage(content)
	case "article:published_time", "dcterms.created", "dc.date", "date", "datepublished", "citation_publication_date":
		if m.created == nil {
			m.created = ooxml.Time(content)
		}
	case "article:modified_time", "dcterms.modified", "last-modified", "og:updated_time":
		if m.modified == nil {
			m.modified = ooxml.Time(content)
		}
	}
	if strings.EqualFold(attrs["http-equiv"], "content-language") {
		m.setLanguage(content)
	}
}

func (m *metaData) setLanguage(tag string) {
	if tag = strings.TrimSpace(strings.Split(tag, ",")[0]); m.language == "" && len(tag) <= 35 {
		m.language = tag
	}
}

func short(s string) string {
	s = strings.Join(strings.Fields(block.Clean(s[:min(len(s), maxMeta)])), " ")
	return strings.ToValidUTF8(s, "")
}

// declaredCharset finds the charset that the start of a page declares: in an
// XML declaration or a meta element.
func declaredCharset(head []byte) string {
	if bytes.HasPrefix(head, []byte("<?xml")) {
		if end := bytes.Index(head, []byte("?>")); end > 0 {
			if name := pseudoAttribute(string(head[:end]), "encoding"); name != "" {
				return name
			}
		}
	}
	z := html.NewTokenizer(bytes.NewReader(head))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return ""
		case html.StartTagToken, html.SelfClosingTagToken:
			name, more := z.TagName()
			if string(name) == "body" {
				return ""
			}
			if string(name) != "meta" || !more {
				continue
			}
			attrs := attributes(z)
			if c := attrs["charset"]; c != "" {
				return c
			}
			if strings.EqualFold(attrs["http-equiv"], "content-type") {
				if _, params, err := mime.ParseMediaType(attrs["content"]); err == nil && params["charset"] != "" {
					return params["charset"]
				}
			}
		}
	}
}

// pseudoAttribute reads name="value" from an XML declaration.
func pseudoAttribute(s, name string) string {
	_, s, ok := strings.Cut(s, name)
	if !ok {
		return ""
	}
	s = strings.TrimLeft(s, " \t\r\n=")
	if s == "" || s[0] != '"' && s[0] != '\'' {
		return ""
	}
	value, _, ok := strings.Cut(s[1:], s[:1])
	if !ok {
		return ""
	}
	return value
}

// attributes of the current tag; of two with the same name the first counts.
func attributes(z *html.Tokenizer) map[string]string {
	attrs := map[string]string{}
	for range maxAttributes {
		key, val, more := z.TagAttr()
		if k := string(key); attrs[k] == "" {
			attrs[k] = string(val)
		}
		if !more {
			break
		}
	}
	return attrs
}

// maxAttributes bounds how many attributes of a tag are looked at.
const maxAttributes = 64
