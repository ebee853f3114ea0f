package extract

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

func TestFramesComeBackAsSent(t *testing.T) {
	t.Parallel()
	var b []byte
	var err error
	for _, text := range []string{"", "a", strings.Repeat("é\x00\n", 100000)} {
		if b, err = appendFrame(b, frameWarning, text); err != nil {
			t.Fatal(err)
		}
	}
	r := bytes.NewReader(b)
	var buf []byte
	for _, want := range []string{"", "a", strings.Repeat("é\x00\n", 100000)} {
		ft, payload, err := readFrame(r, buf)
		if err != nil || ft != frameWarning {
			t.Fatalf("type %q, error %v", ft, err)
		}
		var got string
		if err := decode(ft, payload, &got); err != nil || got != want {
			t.Fatalf("%d bytes came back as %d, error %v", len(want), len(got), err)
		}
		buf = payload
	}
	if _, _, err := readFrame(r, buf); err != io.EOF {
		t.Errorf("after the last frame: %v", err)
	}
	if _, _, err := readFrame(bytes.NewReader(b[:len(b)-1]), nil); err != nil {
		t.Errorf("the first of three: %v", err)
	}
	if _, _, err := readFrame(bytes.NewReader(b[:3]), nil); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("half a header: %v", err)
	}
	if _, _, err := readFrame(bytes.NewReader(b[:6]), nil); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("half a payload: %v", err)
	}
	if _, err := appendFrame(nil, frameWarning, strings.Repeat("x", maxFrame)); !errors.Is(err, errFrame) {
		t.Errorf("a frame over the limit: %v", err)
	}
}

func TestCutKeepsCharactersAndRowsWhole(t *testing.T) {
	t.Parallel()
	wide := strings.Repeat("日本", maxPiece/3)
	b := block.Block{Kind: block.Paragraph, Text: wide, Page: 4}
	var text strings.Builder
	for n, more := 0, true; more; n++ {
		piece, rest, again, err := cut(b)
		if err != nil || len(piece.Text) > maxPiece || piece.Page != 4 || piece.Continues != (n > 0) || strings.ContainsRune(piece.Text, '\ufffd') {
			t.Fatalf("piece %d: %d bytes, continues %v, error %v", n, len(piece.Text), piece.Continues, err)
		}
		text.WriteString(piece.Text)
		b, more = rest, again
	}
	if text.String() != wide {
		t.Error("the pieces are not the whole")
	}
	_, _, _, err := cut(block.Block{Kind: block.Table, Rows: [][]string{{strings.Repeat("x", maxPiece+1)}}})
	wantCode(t, err, block.CodeTooLarge)
}

// FuzzFrames feeds a child's side of the channel: whatever comes, the parent
// must not panic, must stay within its bounds and must end.
func FuzzFrames(f *testing.F) {
	seed := func(frames ...any) {
		b, _ := appendFrame(nil, frameAccepted, nil)
		for _, v := range frames {
			switch v := v.(type) {
			case []Block:
				b, _ = appendFrame(b, frameBlocks, v)
			case PageError:
				b, _ = appendFrame(b, framePageError, v)
			case *Error:
				b, _ = appendFrame(b, frameError, v)
			case Metadata:
				b, _ = appendFrame(b, frameMeta, v)
			}
		}
		b, _ = appendFrame(b, frameDone, nil)
		f.Add(b)
	}
	seed(Metadata{Title: "t", Pages: 2}, []Block{{Kind: block.Heading, Level: 1, Text: "a"}, {Kind: block.Table, Rows: [][]string{{"b"}}}})
	seed(PageError{1, "no"}, &Error{Code: "corrupt", Message: "broken"})
	f.Add([]byte("\xff\xff\xff\xffB"))
	f.Fuzz(func(t *testing.T, data []byte) {
		const limit = 4096
		c := &collector{max: limit, maxPages: 3}
		r := bytes.NewReader(data)
		var buf []byte
		for {
			ft, payload, err := readFrame(r, buf)
			if err != nil {
				break
			}
			end, err := c.take(ft, payload, nil)
			if end != nil || err != nil {
				break
			}
			buf = payload[:0]
		}
		total := 0
		for _, b := range append(c.doc.Blocks, c.doc.Asides...) {
			total += len(b.Text)
			if strings.ContainsAny(b.Text, "\x00\r\ufffe") {
				t.Fatalf("unclean text %q", b.Text)
			}
		}
		if total > limit || len(c.doc.PageErrors) > 3 || len(c.doc.Warnings) > maxWarnings {
			t.Fatalf("bounds passed: %d bytes, %d page errors, %d warnings", total, len(c.doc.PageErrors), len(c.doc.Warnings))
		}
	})
}
