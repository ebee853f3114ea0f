package eml

import (
	"bytes"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/mail"
)

// maxDecoded bounds how many attached messages are decoded to be read.
const maxDecoded = 100

// content reports what a part holds.
func (m *message) content(src source, p *part, level int) error {
	if err := m.ctx.Err(); err != nil {
		return err
	}
	disposition, _ := p.disposition()
	switch {
	case p.mediaType == "multipart/encrypted", p.mediaType == "application/pkcs7-mime" && strings.Contains(p.params["smime-type"], "enveloped"):
		m.Encrypted = true
		return m.attached(src, p)
	case strings.HasPrefix(p.mediaType, "multipart/") && len(p.kids) > 0:
		return m.multipart(src, p, level)
	case strings.HasPrefix(p.mediaType, "multipart/"): // without the parts that it announces
		return m.text(src, p, false)
	case p.mediaType == "message/rfc822":
		return m.forwarded(src, p, level)
	case disposition == "attachment" && !p.root, !p.readable():
		return m.attached(src, p)
	}
	return m.text(src, p, p.mediaType == "text/html")
}

// readable reports whether a part is text for people.
func (p *part) readable() bool {
	if p.root {
		return strings.HasPrefix(p.mediaType, "text/") || !strings.Contains(p.mediaType, "/")
	}
	switch p.mediaType {
	case "text/calendar", "text/vcard", "text/x-vcard", "text/directory", "text/css", "text/xml", "text/javascript", "text/csv", "text/rfc822-headers":
		return false
	}
	return strings.HasPrefix(p.mediaType, "text/")
}

// multipart reports the parts of a multipart: of alternatives one, of a mail
// server's report the first.
func (m *message) multipart(src source, p *part, level int) error {
	var chosen *part
	if p.mediaType == "multipart/alternative" {
		var err error
		if chosen, err = m.best(src, p.kids); err != nil {
			return err
		}
	}
	for i, k := range p.kids {
		var err error
		switch {
		case chosen != nil && k != chosen:
			err = m.beside(src, k)
		case i > 0 && strings.HasPrefix(k.mediaType, "text/") && (k.name() != "" || p.mediaType == "multipart/related"):
			err = m.named(src, k, level)
		case i > 0 && p.mediaType == "multipart/report":
			err = m.attached(src, k)
		default:
			err = m.content(src, k, level)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// beside lists what is attached within an alternative that isn't read: mail
// programs put attachments beside the page that they stand in. Pictures that a
// page shows are none.
func (m *message) beside(src source, p *part) error {
	d, _ := p.disposition()
	switch {
	case strings.HasPrefix(p.mediaType, "multipart/"):
		for _, k := range p.kids {
			if err := m.beside(src, k); err != nil {
				return err
			}
		}
		return nil
	case d == "attachment", !strings.HasPrefix(p.mediaType, "text/") && p.field("content-id") == "":
		return m.attached(src, p)
	}
	return nil
}

// named reports a text that came as a file: it is read when the sender wants
// it seen, and listed when not.
func (m *message) named(src source, p *part, level int) error {
	if d, _ := p.disposition(); d == "inline" && m.Blocks == 0 {
		return m.content(src, p, level)
	}
	return m.attached(src, p)
}

// best chooses among alternatives: plain text that isn't blank, else the last
// that can be read, as the sender put the best last.
func (m *message) best(src source, kids []*part) (*part, error) {
	var chosen *part
	for _, k := range kids {
		plain := k.leaf("text/plain")
		if plain == nil {
			if k.leaf("text/html") != nil || chosen == nil {
				chosen = k
			}
			continue
		}
		raw, _, err := plain.body(src)
		if err != nil {
			return nil, err
		}
		if raw = bytes.TrimSpace(raw); len(raw) == 0 {
			continue
		}
		if !standIn(raw) {
			return k, nil
		}
		if chosen == nil {
			chosen = k
		}
	}
	if chosen == nil && len(kids) > 0 {
		chosen = kids[0]
	}
	return chosen, nil
}

// standIn reports a plain text that only says that the mail is the page beside
// it: "Your mail program does not show HTML."
func standIn(text []byte) bool {
	const most = 300
	return len(text) <= most && bytes.Contains(bytes.ToUpper(text), []byte("HTML"))
}

// leaf is the first part of that type within p that is no attachment.
func (p *part) leaf(mediaType string) *part {
	if d, _ := p.disposition(); d == "attachment" || p.mediaType == "message/rfc822" {
		return nil
	}
	if p.mediaType == mediaType {
		return p
	}
	for _, k := range p.kids {
		if l := k.leaf(mediaType); l != nil {
			return l
		}
	}
	return nil
}

// forwarded reports a message within a message.
func (m *message) forwarded(src source, p *part, level int) error {
	if len(p.kids) > 0 {
		return m.read(src, p.kids[0], level+1)
	}
	if m.decoded++; m.decoded > maxDecoded {
		return m.attached(src, p)
	}
	raw, err := m.body(src, p)
	if err != nil {
		return err
	}
	inner := source{r: bytes.NewReader(raw), size: int64(len(raw)), path: src.place(p) + "/"}
	x := &indexer{ctx: m.ctx, src: inner, limits: m.limits}
	root, err := x.index(p.depth + 1)
	if err != nil {
		return err
	}
	return m.read(inner, root, level+1)
}

// body is what a part holds, decoded; the mail notes when it isn't all.
func (m *message) body(src source, p *part) ([]byte, error) {
	raw, cut, err := p.body(src)
	if err == nil && cut {
		err = m.Truncated()
	}
	return raw, err
}

// text reports a text of the body.
func (m *message) text(src source, p *part, page bool) error {
	raw, err := m.body(src, p)
	if err != nil {
		return err
	}
	set := p.params["charset"]
	if page {
		if set != "" && !strings.EqualFold(set, "us-ascii") {
			raw = []byte(toUTF8(raw, set))
		}
		return m.Page(m.ctx, raw)
	}
	text := toUTF8(raw, set)
	if strings.EqualFold(p.params["format"], "flowed") {
		text = mail.Unflow(text, strings.EqualFold(p.params["delsp"], "yes"))
	}
	return m.Plain(text)
}
