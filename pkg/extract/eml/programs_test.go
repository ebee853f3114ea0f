package eml

import (
	"testing"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/blocktest"
)

// Mails as common programs write them.
func TestMailPrograms(t *testing.T) {
	t.Parallel()
	const to = "header: To: b@example.org\n" // of head
	for name, c := range map[string]struct{ raw, body, asides string }{
		"Outlook": {
			lines("Subject: =?Windows-1252?Q?Cota=E7=E3o_=96_urgente?= =?Windows-1252?Q?_e_importante?=\nMIME-Version: 1.0\n" +
				"Content-Type: text/html; charset=\"Windows-1252\"\nContent-Transfer-Encoding: quoted-printable\n\n" +
				"<html xmlns:o=3D\"urn:schemas-microsoft-com:office:office\"><head><meta charset=3Dwindows-1252>=\n<!--[if gte mso 9]><xml><o:shapedefaults/></xml><![endif]--><style>=\n<!-- p.MsoNormal {margin:0} --></style></head><body>\n" +
				"<p class=3DMsoNormal>Prezado Jo=E3o,<o:p></o:p></p><p class=3DMsoNormal><o:p>&nbsp;</o:p></p>\n<p class=3DMsoNormal>A cota=E7=E3o =96 =93urgente=94 =96 =E9 de =80 1.234,56.</p>\n" +
				"<p class=3DMsoListParagraph><![if !supportLists]><span>1.&nbsp; </span><![endif]>Primeiro</p></body></html>\n"),
			"heading 1: Cotação – urgente e importante\nparagraph: Prezado João,\nparagraph: A cotação – “urgente” – é de € 1.234,56.\nparagraph: 1. Primeiro\n", "",
		},
		"Apple Mail, attachments beside the page": {
			lines("Subject: =?utf-8?Q?Relat=C3=B3rio?=\nMime-Version: 1.0 (Mac OS X Mail 16.0)\nContent-Type: multipart/alternative; boundary=\"Apple-Mail=_1\"\n\n" +
				"--Apple-Mail=_1\nContent-Transfer-Encoding: quoted-printable\nContent-Type: text/plain;\n\tcharset=utf-8\n\nSegue o relat=C3=B3rio.\n" +
				"--Apple-Mail=_1\nContent-Type: multipart/mixed; boundary=\"Apple-Mail=_2\"\n\n--Apple-Mail=_2\nContent-Type: text/html; charset=us-ascii\n\n<body>Segue o relat&oacute;rio.</body>\n" +
				"--Apple-Mail=_2\nContent-Type: image/png; name=logo.png\nContent-Id: <logo>\nContent-Disposition: inline\n\nx\n" +
				"--Apple-Mail=_2\nContent-Disposition: inline;\n\tfilename*=utf-8''relat%C3%B3rio.pdf\nContent-Type: application/pdf;\n\tx-unix-mode=0644\nContent-Transfer-Encoding: base64\n\nJVBERi0xLjQK\n--Apple-Mail=_2--\n\n--Apple-Mail=_1--\n"),
			"heading 1: Relatório\nparagraph: Segue o relatório.\n", "annotation: Attachment: relatório.pdf (application/pdf, 9 bytes)\n",
		},
		"a mailing list with its footer": {
			lines("Subject: [lista] =?UTF-8?B?UmV1bmnDo28=?=\nContent-Type: multipart/mixed; boundary=m\n\nThis is a multi-part message in MIME format.\n--m\nContent-Type: multipart/alternative; boundary=a\n\n" +
				"--a\nContent-Type: text/plain; charset=\"iso-8859-1\"\nContent-Transfer-Encoding: 8bit\n\nA \x93reuni\xe3o\x94 ser\xe1 ter\xe7a.\n\n" +
				"--a\nContent-Type: multipart/related; boundary=r\n\n--r\nContent-Type: text/html\n\n<p>A reuni&atilde;o<img src=cid:1>\n--r\nContent-Type: image/png\nContent-ID: <1>\n\nx\n--r--\n--a--\n" +
				"--m\nContent-Type: text/plain; charset=us-ascii\nContent-Disposition: inline\n\n____\nlista mailing list\n--m--\n"),
			"heading 1: [lista] Reunião\nparagraph: A “reunião” será terça.\nparagraph: ____⏎lista mailing list\n", "",
		},
		"flowed without the blanks that joined it": {
			head + lines("Content-Type: text/plain; charset=UTF-8; format=flowed; delsp=yes\n\nA long paragraph that was  \nwrapped, and a com \npound word.\n\n> quoted and  \n> flowed\n From the start\n"),
			headOutline + "paragraph: A long paragraph that was wrapped, and a compound word.\nquote: quoted and flowed\nparagraph: From the start\n", to,
		},
		"a plain text that only speaks of the page": {
			head + alternative("Seu programa de e-mail não mostra HTML. Abra a mensagem no navegador.", "<h1>Fatura</h1><p>Valor: R$ 10,00"),
			headOutline + "heading 1: Fatura\nparagraph: Valor: R$ 10,00\n", to,
		},
		"a newsletter laid out in tables": {
			head + lines("Content-Type: text/html; charset=utf-8\n\n<table width=100%><tr><td><table width=600><tr><td><h1>Oferta</h1><p>Só hoje.</td></tr><tr><td><a href=x>Sair da lista</a></td></tr></table></td></tr></table>\n"),
			headOutline + "heading 1: Oferta\nparagraph: Só hoje.\nparagraph: Sair da lista\n", to,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := blocktest.Parse(t, Parse, []byte(c.raw), block.Options{})
			blocktest.Check(t, d, nil)
			if got := blocktest.Outline(d.Blocks); got != c.body {
				t.Errorf("body:\n%swant:\n%s", got, c.body)
			}
			if got := blocktest.Outline(d.Asides); got != c.asides {
				t.Errorf("asides:\n%swant:\n%s", got, c.asides)
			}
		})
	}
}
