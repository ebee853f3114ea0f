package eml

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/blocktest"
	"github.com/docsvc/docsvc/pkg/extract/mail"
)

// head begins most of the mails here.
const head = "From: Ana Lima <ana@example.org>\r\nTo: b@example.org\r\nSubject: Greetings\r\n"

const headOutline = "heading 1: Greetings\n"

// lines writes a text with the line ends of mails.
func lines(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

func outline(t *testing.T, raw string) string {
	t.Helper()
	d := blocktest.Parse(t, Parse, []byte(raw), block.Options{})
	blocktest.Check(t, d, nil)
	if len(d.Warnings) > 0 || d.Done == 0 {
		t.Errorf("warnings %q, %d parts done", d.Warnings, d.Done)
	}
	return blocktest.Outline(d.Blocks)
}

func TestBody(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ raw, want string }{
		"plain":                 {head + lines("\nOne\ntwo\n\n\nthree\n"), headOutline + "paragraph: One⏎two\nparagraph: three\n"},
		"line ends of files":    {strings.ReplaceAll(head, "\r", "") + "\nOne\ntwo\n", headOutline + "paragraph: One⏎two\n"},
		"quoted":                {head + lines("\nYes.\n\n> Is it\n>> so?\n>\n> Tell\nme\n"), headOutline + "paragraph: Yes.\nquote: Is it⏎so?\nquote: Tell\nparagraph: me\n"},
		"quoted-printable":      {head + lines("Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: Quoted-Printable\n\nOpera=E7=E3o lon=\nga = 5 =zz   \nx=3D"), headOutline + "paragraph: Operação longa = 5 =zz⏎x=\n"},
		"base64":                {head + lines("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n"+base64.StdEncoding.EncodeToString([]byte("ação"))+"\n !"+base64.StdEncoding.EncodeToString([]byte(" e mais"))), headOutline + "paragraph: ação e mais\n"},
		"ascii that it isn't":   {head + lines("Content-Type: text/plain; charset=us-ascii\n\nação em utf-8\n"), headOutline + "paragraph: ação em utf-8\n"},
		"flowed":                {head + lines("Content-Type: text/plain; format=flowed\n\nThis goes \non and ends.\n> quoted \n> too\n-- \nAna\n"), headOutline + "paragraph: This goes on and ends.\nquote: quoted too\nparagraph: --⏎Ana\n"},
		"html":                  {head + lines("Content-Type: text/html; charset=windows-1252\n\n<h2>A</h2><p>caf\xe9<style>x</style>"), headOutline + "heading 2: A\nparagraph: café\n"},
		"encoded subject":       {lines("Subject: =?utf-8?B?w6dhww==?= =?utf-8?B?o28?=\n =?iso-8859-1?q?_caf=E9?= end\n\nx"), "heading 1: çaão café end\nparagraph: x\n"},
		"raw bytes in subject":  {lines("Subject: Forma\xe7\xe3o da opera\xe7\xe3o\n\nx"), "heading 1: Formação da operação\nparagraph: x\n"},
		"alternative":           {head + alternative("plain text", "<p>html text"), headOutline + "paragraph: plain text\n"},
		"blank alternative":     {head + alternative(" \n", "<p>html text"), headOutline + "paragraph: html text\n"},
		"preamble and epilogue": {head + multipart("mixed", "", "\nfirst", "Content-Type: text/plain\n\nsecond") + "nobody reads this", headOutline + "paragraph: first\nparagraph: second\n"},
		"related":               {head + multipart("related", "", "Content-Type: text/html\n\n<p>x", "Content-Type: image/png; name=a.png\n\nbytes"), headOutline + "paragraph: x\n"},
		"attached message": {head + multipart("mixed", "", "\nsee below", "Content-Type: message/rfc822\n\nSubject: Inner\nFrom: c@example.org\nContent-Type: multipart/mixed; boundary=inner\n\n--inner\n\ndeep\n--inner--\n"),
			headOutline + "paragraph: see below\nheading 2: Inner\nparagraph: From: c@example.org\nparagraph: deep\n"},
		"attached message, encoded": {head + multipart("mixed", "", "\nsee", "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n"+base64.StdEncoding.EncodeToString([]byte("Subject: Inner\n\ndeep"))),
			headOutline + "paragraph: see\nheading 2: Inner\nparagraph: deep\n"},
		"digest":               {head + multipart("digest", "", "\nSubject: A\n\na", "\nSubject: B\n\nb"), headOutline + "heading 2: A\nparagraph: a\nheading 2: B\nparagraph: b\n"},
		"from a mailbox":       {"From a@example.org Mon Nov 23 2026\n" + head + "\r\nx", headOutline + "paragraph: x\n"},
		"a line that is none":  {lines("Subject: A\nquite Delivered-To: x\nTo: c@example.org\n\nx"), "heading 1: A\nparagraph: x\n"},
		"no empty line":        {lines("Subject: A\nTo: c@example.org\nDear all,\nhow are you?\n"), "heading 1: A\nparagraph: Dear all,⏎how are you?\n"},
		"no end":               {head + lines("Content-Type: multipart/mixed; boundary=b\n\n--b\n\nfirst\n--b\nContent-Type: text/plain\n\nsecond"), headOutline + "paragraph: first\nparagraph: second\n"},
		"no boundary":          {head + lines("Content-Type: multipart/mixed\n\njust text"), headOutline + "paragraph: just text\n"},
		"boundary never seen":  {head + lines("Content-Type: multipart/mixed; boundary=b\n\njust text"), headOutline + "paragraph: just text\n"},
		"malformed type":       {head + lines("Content-Type: text/plain; charset=\"iso-8859-1; x;=; format\nContent-Disposition: =?x?\n\ncaf\xe9"), headOutline + "paragraph: café\n"},
		"inner end is missing": {head + multipart("mixed", "", "Content-Type: multipart/alternative; boundary=inner\n\n--inner\n\na", "\nb"), headOutline + "paragraph: a\nparagraph: b\n"},
		"type of one word":     {head + lines("Content-Type: text\nContent-Transfer-Encoding: 7-bit\n\nx"), headOutline + "paragraph: x\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := outline(t, c.raw); got != c.want {
				t.Errorf("got:\n%swant:\n%s", got, c.want)
			}
		})
	}
}

// multipart is the rest of a mail with these parts, each with its header.
func multipart(kind, boundary string, parts ...string) string {
	if boundary == "" {
		boundary = "=_b/1"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "MIME-Version: 1.0\nContent-Type: multipart/%s; boundary=\"%s\"\n\nThis is a multipart message.\n", kind, boundary)
	for _, p := range parts {
		b.WriteString("--" + boundary + "\n" + p + "\n")
	}
	b.WriteString("--" + boundary + "--\n")
	return lines(b.String())
}

func alternative(plain, page string) string {
	return multipart("alternative", "", "Content-Type: text/plain\n\n"+plain, "Content-Type: text/html\n\n"+page)
}

func TestApart(t *testing.T) {
	t.Parallel()
	raw := lines("Date: Mon, 23 Nov 2026 10:00:00 -0300\nFrom: =?utf-8?q?Jo=C3=A3o?= <j@example.org>\nTo: a@example.org,\n b@example.org\nCc: c@example.org\nSubject: S\n") +
		multipart("mixed", "", "\nbody",
			"Content-Type: application/pdf\nContent-Disposition: attachment; filename*=utf-8''relat%C3%B3rio.pdf\nContent-Transfer-Encoding: base64\n\nAAAA",
			"Content-Type: text/plain; name=notes.txt\n\nnot of the body",
			"Content-Type: text/plain\nContent-Disposition: attachment; filename=\"=?utf-8?q?a=C3=A7.txt?=\"\n\nneither")
	d := blocktest.Parse(t, Parse, []byte(raw), block.Options{})
	blocktest.Check(t, d, nil)
	if got, want := blocktest.Outline(d.Blocks), "heading 1: S\nparagraph: body\n"; got != want {
		t.Errorf("body:\n%s", got)
	}
	want := "header: To: a@example.org, b@example.org⏎Cc: c@example.org\n" +
		"annotation: Attachment: relatório.pdf (application/pdf, 3 bytes)\n" +
		"annotation: Attachment: notes.txt (text/plain, 15 bytes)\n" +
		"annotation: Attachment: aç.txt (text/plain, 7 bytes)\n"
	if got := blocktest.Outline(d.Asides); got != want {
		t.Errorf("asides:\n%swant:\n%s", got, want)
	}
	if d.Meta.Title != "S" || d.Meta.Author != "João" || d.Meta.Created == nil || !d.Meta.Created.Equal(time.Date(2026, 11, 23, 13, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v", d.Meta)
	}
}

// What a mail server returns with its report is not what the report says.
func TestReport(t *testing.T) {
	t.Parallel()
	raw := head + multipart("report", "", "\nnot delivered", "Content-Type: message/delivery-status\n\nAction: failed", "Content-Type: message/rfc822\n\nSubject: Returned\n\n"+"text")
	d := blocktest.Parse(t, Parse, []byte(raw), block.Options{})
	blocktest.Check(t, d, nil)
	if got, want := blocktest.Outline(d.Blocks), headOutline+"paragraph: not delivered\n"; got != want {
		t.Errorf("body:\n%s", got)
	}
	if got, want := blocktest.Outline(d.Asides[1:]), "annotation: Attachment: unnamed (message/delivery-status, 14 bytes)\nannotation: Attachment: Returned (message/rfc822, 25 bytes)\n"; got != want {
		t.Errorf("asides:\n%s", got)
	}
}

func TestSavedAsUTF16(t *testing.T) {
	t.Parallel()
	var wide []byte
	for _, c := range []byte(head + "\r\nbody of the mail") {
		wide = append(wide, 0, c)
	}
	if got := outline(t, string(wide)); got != headOutline+"paragraph: body of the mail\n" {
		t.Errorf("%q", got)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	nested := func(n int) string {
		var b strings.Builder
		b.WriteString(head)
		for i := range n {
			fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
		}
		return b.String() + "\ntext"
	}
	for name, c := range map[string]struct {
		raw, code string
		o         block.Options
	}{
		"nothing":         {head[:strings.Index(head, "Subject")] + "\r\n", block.CodeNoText, block.Options{}},
		"only attached":   {"From: x@example.org\n" + multipart("mixed", "", "Content-Type: image/png\n\nx"), block.CodeNoText, block.Options{}},
		"encrypted":       {"From: x@example.org\n" + multipart("encrypted", "", "Content-Type: application/pgp-encrypted\n\nVersion: 1"), block.CodeEncrypted, block.Options{}},
		"deep":            {nested(mail.MaxNesting + 1), block.CodeBomb, block.Options{}},
		"very deep":       {nested(200_000), block.CodeBomb, block.Options{}},
		"deep by option":  {nested(10), block.CodeBomb, block.Options{MaxNesting: 5}},
		"deep messages":   {head + strings.Repeat("Content-Type: message/rfc822\n\n", 100_000), block.CodeBomb, block.Options{}},
		"wide":            {head + "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n\n\n", mail.MaxParts+1), block.CodeBomb, block.Options{}},
		"wide by option":  {head + "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n\nx\n", 20), block.CodeBomb, block.Options{MaxParts: 10}},
		"deep in a shell": {shells(t, 120), block.CodeBomb, block.Options{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := blocktest.Try(t, Parse, []byte(c.raw), c.o); blocktest.Code(err) != c.code {
				t.Errorf("%v, want %s", err, c.code)
			}
		})
	}
}

// shells is a mail in n mails, each of them quoted-printable.
func shells(t *testing.T, n int) string {
	t.Helper()
	raw := head + "\ntext"
	for range n {
		raw = "Subject: s\nContent-Type: message/rfc822\nContent-Transfer-Encoding: quoted-printable\n\n" + raw
		if len(raw) > 1<<20 {
			t.Fatal("too large")
		}
		raw = strings.ReplaceAll(raw, "=\n", "=3D\n")
	}
	return raw
}

// Mails like these take time in proportion to more than their size, or much
// memory, with a reader that looks ahead without a bound.
func TestHostileMails(t *testing.T) {
	t.Parallel()
	const n = 200_000
	for name, raw := range map[string]string{
		"one long line":       head + "\n" + strings.Repeat("text ", n),
		"long field":          "Subject: " + strings.Repeat("text ", n) + "\n\ntext",
		"folded field":        "Subject: text\n" + strings.Repeat(" x\n", n) + "\ntext",
		"many fields":         strings.Repeat("To: x\n", n) + "\ntext",
		"bad lines":           strings.Repeat("bad\nTo: x\n", n) + "\ntext",
		"encoded words":       "Subject: text " + strings.Repeat("=?utf-8?q?=41?= ", 10_000) + "\n\ntext",
		"marks of words":      "Subject: text " + strings.Repeat("=?", 50_000) + "\n\ntext",
		"lines of hyphens":    head + "Content-Type: multipart/mixed; boundary=b\n\n--b\n\ntext\n" + strings.Repeat("--x\n", n) + "--b--\n",
		"soft breaks":         head + "Content-Transfer-Encoding: quoted-printable\n\ntext" + strings.Repeat("= ", n) + strings.Repeat("=\n", n),
		"blanks":              head + "Content-Transfer-Encoding: quoted-printable\n\ntext=" + strings.Repeat(" ", n),
		"quotes":              head + "\ntext\n" + strings.Repeat(">", n),
		"parameters":          head + "Content-Type: text/plain; " + strings.Repeat("a=\"b;", 50_000) + "\n\ntext",
		"the same boundaries": head + strings.Repeat("Content-Type: multipart/mixed; boundary=b\n\n--b\n", mail.MaxNesting-1) + "\ntext",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := blocktest.Parse(t, Parse, []byte(raw), block.Options{})
			blocktest.Check(t, d, nil)
			if out := blocktest.Outline(d.Blocks); !strings.Contains(out, "text") || len(out) > 3*len(raw) {
				t.Errorf("%d bytes of text from %d", len(out), len(raw))
			}
		})
	}
}

// pieceSize is how much of a paragraph package mail hands over at once.
const pieceSize = 256 << 10

func TestLongParagraphsComeInPieces(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("á", pieceSize) + "\nnext " + strings.Repeat("word ", pieceSize/3) + "end"
	d := blocktest.Parse(t, Parse, []byte(head+"\r\n"+body), block.Options{})
	blocktest.Check(t, d, nil)
	var all strings.Builder
	for i, b := range d.Blocks[1:] {
		if b.Continues != (i > 0) || len(b.Text) > 2*pieceSize {
			t.Fatalf("piece %d: continues %v, %d bytes", i, b.Continues, len(b.Text))
		}
		all.WriteString(b.Text)
	}
	if all.String() != body {
		t.Error("the pieces are not the paragraph")
	}
}

func TestWhatIsTooLongIsSaid(t *testing.T) {
	t.Parallel()
	d := blocktest.Parse(t, Parse, []byte(head+"\r\n"+strings.Repeat("0123456789abcde\n", maxText/16+1)), block.Options{})
	if len(d.Warnings) != 1 || !strings.HasPrefix(d.Warnings[0], block.TextIncomplete) {
		t.Errorf("%q", d.Warnings)
	}
}

func TestErrorsOfTheSinkEndTheParse(t *testing.T) {
	t.Parallel()
	raw := []byte(head + multipart("mixed", "", "\nx", "Content-Type: text/html\n\n<p>y", "Content-Type: image/png\n\nz"))
	gone := errors.New("reader gone")
	for after := range 6 {
		s := &blocktest.Sink{Err: gone, FailAfter: after}
		if err := Parse(context.Background(), blocktest.File(t, raw), int64(len(raw)), block.Options{}, s); !errors.Is(err, gone) {
			t.Errorf("after %d calls: %v", after, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Parse(ctx, blocktest.File(t, raw), int64(len(raw)), block.Options{}, &blocktest.Sink{}); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(head + multipart("mixed", "", "\nx", "Content-Type: message/rfc822\n\nSubject: y\n\nz")))
	f.Add([]byte(head + alternative("a", "<p>b")))
	f.Add([]byte(head + "Content-Type: text/plain; format=flowed; delsp=yes; charset=utf-8\nContent-Transfer-Encoding: base64\n\n" + base64.StdEncoding.EncodeToString([]byte("> a \n> b"))))
	f.Add([]byte("Subject: =?utf-8?B?w6dhw6?= =?x*pt?Q?_=41?=\nContent-Type: text; name*=utf-8''%41; a=\"\n\nx=\n=41"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := blocktest.Try(t, Parse, raw, block.Options{})
		blocktest.Check(t, d, err)
	})
}
