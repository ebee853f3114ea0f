// Package msg turns Outlook messages (MSG) into blocks ([MS-OXMSG]). A message
// is a storage of an OLE container: its properties, each in a stream named for
// its number and type or, when it is short, in a table; recipients and
// attachments are storages within it, and so are messages that are attached.
//
// What becomes of them is what becomes of a mail of any other kind (package
// mail). Of the body there may be up to three forms: plain text is taken before
// HTML, and that before RTF.
package msg

import (
	"cmp"
	"context"
	"os"
	"slices"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/mail"
	"github.com/docsvc/docsvc/pkg/extract/ole"
	"github.com/docsvc/docsvc/pkg/extract/rtf"
)

// Version changes whenever the output for some file changes.
const Version = "1"

// Parse reads f and reports its blocks to sink. It is a block.Parser. Pages
// stay 0.
func Parse(ctx context.Context, f *os.File, size int64, o block.Options, sink block.Sink) error {
	box, err := ole.Open(f, size)
	if err != nil {
		return err
	}
	m := newMessage(ctx, box, o, sink)
	root := m.open("", 32)
	if err := sink.Meta(m.head(root).Metadata()); err != nil {
		return err
	}
	if err := m.read(root, 1); err != nil {
		return err
	}
	if err := m.Verdict(); err != nil {
		return err
	}
	return sink.PageDone(1, 1)
}

// Unpack hands the attachments of a message to take, in the order in which Parse
// lists them. What take doesn't read costs nothing.
func Unpack(ctx context.Context, f *os.File, size int64, o block.Options, take func(mail.File) error) error {
	box, err := ole.Open(f, size)
	if err != nil {
		return err
	}
	m := newMessage(ctx, box, o, mail.Nowhere{})
	m.take = take
	return m.read(m.open("", 32), 1)
}

func newMessage(ctx context.Context, box *ole.Container, o block.Options, sink block.Sink) *message {
	return &message{
		Writer: mail.Writer{Sink: sink}, ctx: ctx, box: box, options: o,
		maxParts:   cmp.Or(max(o.MaxParts, 0), mail.MaxParts),
		maxNesting: min(cmp.Or(max(o.MaxNesting, 0), mail.MaxNesting), mail.MaxNesting),
		within:     storages(box),
	}
}

// message is one file being parsed.
type message struct {
	mail.Writer
	ctx        context.Context
	box        *ole.Container
	options    block.Options
	maxParts   int
	maxNesting int
	parts      int                   // attachments so far
	take       func(mail.File) error // takes attachments; nil when they are only listed
	within     map[string][]string   // paths of storages of recipients and attachments, by that of the message
}

const (
	recipientPrefix  = "__recip_version1.0_#"
	attachmentPrefix = "__attach_version1.0_#"
)

// storages lists what belongs to each message, in the order of the numbers in
// their names.
func storages(box *ole.Container) map[string][]string {
	within := map[string][]string{}
	for _, path := range box.Names() {
		at := strings.LastIndexByte(path, '/') + 1
		if name := path[at:]; strings.HasPrefix(name, recipientPrefix) || strings.HasPrefix(name, attachmentPrefix) {
			within[path[:at]] = append(within[path[:at]], path+"/")
		}
	}
	for _, paths := range within {
		slices.Sort(paths)
	}
	return within
}

// head is what a message says of itself.
func (m *message) head(p properties) mail.Head {
	h := mail.Head{Subject: p.line(propSubject), Sent: p.time(propSubmitted)}
	if h.Sent == nil {
		h.Sent = p.time(propDelivered)
	}
	if h.Sent != nil {
		h.Date = h.Sent.Format("Mon, 02 Jan 2006 15:04:05 -0700")
	}
	h.From = address(p.line(propSenderName), p.line(propSenderSMTP), p.line(propSenderAddress))
	if h.From == "" {
		h.From = address(p.line(propBehalfName), p.line(propBehalfAddress))
	}
	var to, cc []string
	for _, path := range m.within[p.path] {
		if !strings.HasPrefix(path[len(p.path):], recipientPrefix) || len(to)+len(cc) >= m.maxParts {
			continue
		}
		r := m.open(path, 8)
		r.codepage = p.codepage
		who := address(r.line(propName), r.line(propSMTP), r.line(propAddress))
		switch kind := r.number(propRecipientKind); {
		case who == "":
		case kind == 1:
			to = append(to, who)
		case kind == 2:
			cc = append(cc, who)
		}
	}
	h.To, h.Cc = strings.Join(to, ", "), strings.Join(cc, ", ")
	if len(to)+len(cc) == 0 {
		h.To, h.Cc = p.line(propDisplayTo), p.line(propDisplayCc)
	}
	return h
}

// address writes a name and the first address that is one of the Internet.
func address(name string, addresses ...string) string {
	for _, a := range addresses {
		switch {
		case !strings.Contains(a, "@"):
		case name == "" || strings.EqualFold(strings.Trim(name, "'"), a):
			return a
		default:
			return name + " <" + a + ">"
		}
	}
	return name
}

// read reports one message: the mail itself at level 1, those attached to it
// below.
func (m *message) read(p properties, level int) error {
	if err := m.ctx.Err(); err != nil {
		return err
	}
	if level > m.maxNesting {
		return mail.TooDeep(m.maxNesting)
	}
	if err := m.Begin(m.head(p), level); err != nil {
		return err
	}
	if class := p.line(propClass); strings.EqualFold(class, "IPM.Note.SMIME") {
		m.Encrypted = true
	}
	if err := m.body(p); err != nil {
		return err
	}
	for _, path := range m.within[p.path] {
		if !strings.HasPrefix(path[len(p.path):], attachmentPrefix) {
			continue
		}
		if m.parts++; m.parts > m.maxParts {
			return mail.TooMany(m.maxParts)
		}
		if err := m.attachment(path, p.codepage, level); err != nil {
			return err
		}
	}
	return nil
}

// body reports the text of a message, in the best form that there is.
func (m *message) body(p properties) error {
	if text, cut := p.text(propBody); strings.TrimSpace(text) != "" {
		if cut {
			if err := m.Truncated(); err != nil {
				return err
			}
		}
		return m.Plain(text)
	}
	if page, cut := p.page(); len(page) > 0 {
		if cut {
			if err := m.Truncated(); err != nil {
				return err
			}
		}
		return m.Page(m.ctx, page)
	}
	packed := m.box.Stream(p.path+streamName(propRTF, typeBinary), mail.MaxText)
	raw, cut := unpackRTF(packed)
	if len(raw) == 0 {
		return nil
	}
	if cut {
		if err := m.Truncated(); err != nil {
			return err
		}
	}
	before := m.Blocks
	err := rtf.Read(m.ctx, strings.NewReader(string(raw)), int64(len(raw)), m.options, inner{&m.Writer})
	if e, ok := err.(*block.Error); ok && (e.Code == block.CodeNoText || e.Code == block.CodeCorrupt) {
		if e.Code == block.CodeCorrupt && m.Blocks == before {
			return m.Sink.Warn(block.TextIncomplete + "the body of the mail can't be read. " + e.Message)
		}
		return nil
	}
	return err
}

// attachment lists an attachment, or reports the message that it is.
func (m *message) attachment(path string, codepage, level int) error {
	p := m.open(path, 8)
	p.codepage = codepage
	inside := path + streamName(propData, typeObject) + "/"
	if p.number(propMethod) == 5 && m.box.Has(inside+"__properties_version1.0") {
		return m.read(m.open(inside, 24), level+1)
	}
	name := cmp.Or(p.line(propLongName), p.line(propFileName), p.line(propName))
	stream, mediaType := path+streamName(propData, typeBinary), cmp.Or(strings.ToLower(p.line(propMIME)), "application/octet-stream")
	if m.take != nil && p.shown() {
		return nil // a picture that the text shows
	}
	if m.take != nil {
		return m.take(mail.File{Path: strings.TrimSuffix(path, "/"), Name: name, MediaType: mediaType, Read: func(limit int64) ([]byte, bool, error) {
			return m.box.Stream(stream, limit), m.box.Size(stream) > limit, nil
		}})
	}
	return m.Attached(name, mediaType, m.box.Size(stream))
}

// inner takes the blocks of a body that is a document of its own.
type inner struct{ w *mail.Writer }

// Meta implements block.Sink: what the body says of itself doesn't count.
func (inner) Meta(block.Metadata) error { return nil }

// Block implements block.Sink.
func (i inner) Block(b block.Block) error { return i.w.Put(b) }

// Aside implements block.Sink.
func (i inner) Aside(b block.Block) error { return i.w.Sink.Aside(b) }

// PageDone implements block.Sink: the pages are those of the mail.
func (inner) PageDone(int, int) error { return nil }

// Warn implements block.Sink.
func (i inner) Warn(text string) error { return i.w.Sink.Warn(text) }

// PageError implements block.Sink.
func (i inner) PageError(_ int, text string) error { return i.w.Sink.Warn(block.TextIncomplete + text) }
