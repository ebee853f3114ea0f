package extract

import (
	"errors"
	"strings"
	"testing"

	"github.com/docsvc/docsvc/pkg/extract/detect"
)

const mailWithFiles = "From: a@b\nTo: c@d\nSubject: files\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n" +
	"--b\n\nSee the attachments.\n" +
	"--b\nContent-Type: text/html; name=page.html\nContent-Disposition: attachment; filename=page.html\nContent-Transfer-Encoding: base64\n\nPGh0bWw+PHA+cGFnZTwvcD4=\n" +
	"--b\nContent-Type: image/x-nothing\nContent-Disposition: attachment; filename=x.bin\nContent-Transfer-Encoding: base64\n\nAAECAwQFBgcICQoLDA0ODw==\n" +
	"--b\nContent-Type: message/rfc822\n\nSubject: inner\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\ninner\n--c\nContent-Type: text/plain\nContent-Disposition: attachment; filename=\"no=tes.txt\"\n\nnotes of the inner mail\n--c--\n" +
	"--b\nContent-Type: image/png\nContent-ID: <logo>\n\nshown\n" +
	"--b--\n"

func TestUnpack(t *testing.T) {
	t.Parallel()
	p := testPool(t)
	u := Unpacking{MaxFiles: 10, MaxSize: 1 << 10, MaxTotal: 10 << 10}
	var first []string
	for range 2 {
		var got []string
		warnings, err := p.Unpack(t.Context(), Request{File: testFile(t, mailWithFiles)}, detect.EML, u, func(c Carried) error {
			got = append(got, c.Path+" "+c.Name+" "+c.MediaType+" "+string(c.Data))
			return nil
		})
		if err != nil || len(warnings) > 0 {
			t.Fatalf("%v, warnings %q", err, warnings)
		}
		if len(got) != 2 || !strings.HasSuffix(got[0], " page.html text/html <html><p>page</p>") || !strings.HasSuffix(got[1], " no=tes.txt text/plain notes of the inner mail") {
			t.Fatalf("got %q", got)
		}
		if first == nil {
			first = got
		}
		if strings.Join(first, "|") != strings.Join(got, "|") {
			t.Errorf("another time %q", got)
		}
	}
	stillWorks(t, p)
}

func TestUnpackIsBounded(t *testing.T) {
	t.Parallel()
	p := testPool(t)
	for name, c := range map[string]struct {
		u    Unpacking
		want int
		says string
	}{
		"files": {Unpacking{MaxFiles: 1, MaxSize: 1 << 10, MaxTotal: 1 << 20}, 1, "more attachments"},
		"total": {Unpacking{MaxFiles: 9, MaxSize: 1 << 10, MaxTotal: 30}, 1, "more attachments"},
		"size":  {Unpacking{MaxFiles: 9, MaxSize: 20, MaxTotal: 1 << 20}, 1, "more than 20 bytes"},
	} {
		n := 0
		warnings, err := p.Unpack(t.Context(), Request{File: testFile(t, mailWithFiles)}, detect.EML, c.u, func(Carried) error { n++; return nil })
		if err != nil || n != c.want || !strings.Contains(strings.Join(warnings, " "), c.says) {
			t.Errorf("%s: %d files, %v, warnings %q", name, n, err, warnings)
		}
	}
	gone := errors.New("no room")
	if _, err := p.Unpack(t.Context(), Request{File: testFile(t, mailWithFiles)}, detect.EML, Unpacking{MaxFiles: 9, MaxSize: 1 << 10, MaxTotal: 1 << 20}, func(Carried) error { return gone }); !errors.Is(err, gone) {
		t.Errorf("an error of who takes them: %v", err)
	}
	warnings, err := p.Unpack(t.Context(), Request{File: testFile(t, "no container")}, detect.MSG, Unpacking{MaxFiles: 9, MaxSize: 1 << 10, MaxTotal: 1 << 20}, func(Carried) error { return nil })
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "damaged") {
		t.Errorf("a damaged document: %v, warnings %q", err, warnings)
	}
	if Carries(detect.PDF) || !Carries(detect.MSG) {
		t.Error("which formats carry files")
	}
	stillWorks(t, p)
}
