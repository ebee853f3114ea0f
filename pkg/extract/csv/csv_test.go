package csv

import (
	"context"
	"errors"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/blocktest"
)

func TestTables(t *testing.T) {
	t.Parallel()
	latin, err := charmap.Windows1252.NewEncoder().String("Código;Descrição\n1;Operação de câmbio\n2;Não há\n")
	if err != nil {
		t.Fatal(err)
	}
	wide, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String("a\tb\n1\t2\n")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ raw, want string }{
		"comma":                {"Name,Value\nx,1\ny,2\n", "table with header: [Name|Value] [x|1] [y|2]\n"},
		"semicolon":            {"Name;Price\r\na;1,50\r\nb;2,50\r\n", "table with header: [Name|Price] [a|1,50] [b|2,50]\n"},
		"tabs":                 {"a\tb\n\"x, y\"\tz\n", "table with header: [a|b] [x, y|z]\n"},
		"bars":                 {"a|b\nc|d", "table with header: [a|b] [c|d]\n"},
		"one column":           {"Industry\nSales\nOther\n", "table with header: [Industry] [Sales] [Other]\n"},
		"says so itself":       {"sep=|\na|b,c\nd|e,f\n", "table with header: [a|b,c] [d|e,f]\n"},
		"numbers have none":    {"1,2\n3,4\n", "table: [1|2] [3|4]\n"},
		"one row has none":     {"a,b\n", "table: [a|b]\n"},
		"quotes":               {"a,b\n\"x \"\"y\"\"\", \"two\nlines\"\n\"\",\" z \"\n", "table with header: [a|b] [x \"y\"|two⏎lines] [|z]\n"},
		"quotes out of turn":   {"a,b\nsize 5\" x,he said \"no\"\n\"abc\"def,g\n", "table with header: [a|b] [size 5\" x|he said \"no\"] [abc\"def|g]\n"},
		"a quote never closed": {"a,b\n\"x,y\nz,w", "table with header: [a|b] [x,y⏎z,w]\n"},
		"rows of any length":   {"a,b,c\n1\n\n,,\n1,2,3,4\n", "table with header: [a|b|c] [1] [1|2|3|4]\n"},
		"windows-1252":         {latin, "table with header: [Código|Descrição] [1|Operação de câmbio] [2|Não há]\n"},
		"utf-16":               {wide, "table with header: [a|b] [1|2]\n"},
		"byte order mark":      {"\ufeff\"a\",b\nc,d\n", "table with header: [a|b] [c|d]\n"},
	} {
		d := blocktest.Parse(t, Parse, []byte(c.raw), block.Options{})
		blocktest.Check(t, d, nil)
		if got := blocktest.Outline(d.Blocks); got != c.want {
			t.Errorf("%s: got:\n%swant:\n%s", name, got, c.want)
		}
		if len(d.Warnings) > 0 || d.Done == 0 {
			t.Errorf("%s: warnings %q, %d done", name, d.Warnings, d.Done)
		}
	}
}

func TestLargeTablesComeInPieces(t *testing.T) {
	t.Parallel()
	const n = 20000
	d := blocktest.Parse(t, Parse, []byte("key;value\n"+strings.Repeat("some text;and some more of it\n", n)), block.Options{})
	rows := 0
	for i, b := range d.Blocks {
		rows += len(b.Rows)
		if b.Continues != (i > 0) || b.HeaderRow != (i == 0) {
			t.Fatalf("piece %d: continues %v, header %v", i, b.Continues, b.HeaderRow)
		}
	}
	if rows != n+1 || len(d.Blocks) < 3 {
		t.Errorf("%d rows in %d pieces", rows, len(d.Blocks))
	}
}

func TestRowsTooLargeForATable(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", wideRow)
	d := blocktest.Parse(t, Parse, []byte("a,b\n"+long+",x\nc,d\ne,f\n"), block.Options{})
	blocktest.Check(t, d, nil)
	first, last := d.Blocks[0], d.Blocks[len(d.Blocks)-1]
	if blocktest.Outline([]block.Block{first, last}) != "table: [a|b]\ntable: [c|d] [e|f]\n" {
		t.Errorf("%+v, %+v", first, last)
	}
	text := ""
	for i, b := range d.Blocks[1 : len(d.Blocks)-1] {
		if b.Kind != block.Paragraph || b.Continues != (i > 0 && b.Text != "x") {
			t.Errorf("piece %d: %s, continues %v", i, b.Kind, b.Continues)
		}
		text += b.Text
	}
	if text != long+"x" {
		t.Errorf("%d bytes of %d", len(text), len(long)+1)
	}
}

// A mark that is never closed must not swallow the table, nor be held in memory.
func TestAQuoteThatIsNoneEnds(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]string{"short rows": "x,y\n", "long rows": strings.Repeat("x", 5000) + ",y\n"} {
		raw := "a,b\n\"open,c\n" + strings.Repeat(row, 3000) + "last,row\n"
		d := blocktest.Parse(t, Parse, []byte(raw), block.Options{})
		blocktest.Check(t, d, nil)
		b := d.Blocks[len(d.Blocks)-1]
		if b.Kind != block.Table || strings.Join(b.Rows[len(b.Rows)-1], "|") != "last|row" {
			t.Errorf("%s: ends in %.100v", name, b)
		}
		for _, b := range d.Blocks {
			if len(b.Text) > wideRow+maxQuoted {
				t.Errorf("%s: a block of %d bytes", name, len(b.Text))
			}
		}
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ raw, code string }{
		"blank":    {" \n , \n,\n", block.CodeNoText},
		"not text": {strings.Repeat("\x01\x02\x03\x04,", 100), block.CodeUnsupported},
	} {
		if _, err := blocktest.Try(t, Parse, []byte(c.raw), block.Options{}); blocktest.Code(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestErrorsOfTheSinkEndTheParse(t *testing.T) {
	t.Parallel()
	raw := []byte(strings.Repeat("some text;and some more of it\n", 20000))
	gone := errors.New("reader gone")
	for after := range 3 {
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
	f.Add([]byte("a,b\n\"x\"\"\ny\",2\n"))
	f.Add([]byte("sep=;\na;\"b"))
	f.Add([]byte("\xff\xfea\x00\t\x00"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := blocktest.Try(t, Parse, raw, block.Options{})
		blocktest.Check(t, d, err)
	})
}
