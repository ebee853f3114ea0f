package charset

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	htmlcharset "golang.org/x/net/html/charset"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
)

var texts = map[string]string{
	"pt": "A manutenção preventiva é obrigatória. Nenhuma operação começa sem inspeção; à noite, só o técnico de plantão pode ligar as máquinas. Órgãos públicos, ações e pães: não há exceções.",
	"es": "El año pasado la compañía abrió cinco almacenes; ¿quién decidió cerrarlos? Según el señor Núñez, fue más rápido así.",
	"de": "Die Prüfung der Geräte erfolgt jährlich. Größere Mängel müssen sofort gemeldet werden, über Änderungen entscheidet der Geschäftsführer.",
	"fr": "L'été dernier, les employés ont reçu une prime. Où sont les élèves ? À côté du théâtre, près de la forêt, ça va de soi.",
	"pl": "Zażółć gęślą jaźń. Każdy pracownik powinien zgłosić usterkę przełożonemu, który podejmie dalsze działania w ciągu dwóch dni.",
	"cs": "Příliš žluťoučký kůň úpěl ďábelské ódy. Každý zaměstnanec musí oznámit závadu svému nadřízenému do dvou dnů.",
	"ru": "Каждый сотрудник обязан сообщить о неисправности своему руководителю в течение двух дней. Осмотр проводится ежегодно.",
	"el": "Κάθε εργαζόμενος πρέπει να αναφέρει τη βλάβη στον προϊστάμενό του εντός δύο ημερών. Ο έλεγχος γίνεται κάθε χρόνο.",
	"ja": "すべての従業員は、故障を二日以内に上司に報告しなければなりません。点検は毎年行われます。",
	"zh": "每位员工必须在两天之内向上级报告设备故障。每年进行一次全面检查，由维修部门负责。",
	"ko": "모든 직원은 고장을 이틀 안에 상사에게 보고해야 합니다. 점검은 매년 실시됩니다.",
}

func TestFindTellsEncodingsApartWithoutHints(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ lang, name string }{
		{"pt", "windows-1252"}, {"pt", "iso-8859-1"}, {"pt", "macintosh"}, {"es", "windows-1252"}, {"de", "windows-1252"}, {"fr", "windows-1252"},
		{"pl", "windows-1250"}, {"pl", "iso-8859-2"}, {"cs", "windows-1250"}, {"cs", "iso-8859-2"},
		{"ru", "windows-1251"}, {"ru", "koi8-r"}, {"ru", "iso-8859-5"}, {"el", "windows-1253"},
		{"ja", "shift_jis"}, {"ja", "euc-jp"}, {"ja", "iso-2022-jp"}, {"zh", "gb18030"}, {"ko", "euc-kr"},
	} {
		enc, _ := htmlcharset.Lookup(c.name)
		raw, err := enc.NewEncoder().String(texts[c.lang])
		if err != nil {
			t.Fatalf("%s in %s: %v", c.lang, c.name, err)
		}
		expect(t, c.lang+" "+c.name, []byte(raw), texts[c.lang])
	}
	dos, err := charmap.CodePage850.NewEncoder().String(texts["pt"])
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "pt ibm850", []byte(dos), texts["pt"])
}

func TestFindUnicode(t *testing.T) {
	t.Parallel()
	for lang, text := range texts {
		expect(t, lang+" utf-8", []byte(text), text)
		expect(t, lang+" utf-8 with mark", []byte("\ufeff"+text), text)
		for name, enc := range map[string]interface{ String(string) (string, error) }{
			"utf-16le": unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder(),
			"utf-16be": unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewEncoder(),
			"utf-32le": utf32.UTF32(utf32.LittleEndian, utf32.UseBOM).NewEncoder(),
			"utf-32be": utf32.UTF32(utf32.BigEndian, utf32.UseBOM).NewEncoder(),
		} {
			raw, err := enc.String(text)
			if err != nil {
				t.Fatal(err)
			}
			expect(t, lang+" "+name, []byte(raw), text)
		}
	}
	raw, err := unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewEncoder().String(texts["pt"])
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "utf-16le without mark", []byte(raw), texts["pt"])
}

func TestFindUsesHintsOnlyWhereTheContentLeavesItOpen(t *testing.T) {
	t.Parallel()
	latin, err := charmap.ISO8859_15.NewEncoder().String("preço: 10 €, só hoje")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what, raw string
		hints     []string
		name      string
		source    Source
	}{
		{"declared", latin, []string{"", "no-such-charset", "ISO-8859-15"}, "iso-8859-15", FromDeclared},
		{"declared utf-8 but it isn't", latin, []string{"utf-8"}, "windows-1252", FromStatistics},
		{"declared latin but it is utf-8", texts["pt"], []string{"iso-8859-1"}, "utf-8", FromContent},
		{"mark beats the declaration", "\ufeffabc", []string{"iso-8859-1"}, "utf-8", FromBOM},
		{"escape sequences in 7-bit text", "\x1b$B%F%9%H\x1b(B", []string{"iso-2022-jp"}, "iso-2022-jp", FromDeclared},
		{"plain ASCII", "abc", []string{"shift_jis"}, "utf-8", FromContent},
		{"empty", "", nil, "utf-8", FromContent},
	} {
		e := FindBytes([]byte(c.raw), c.hints...)
		if e.Name != c.name || e.Source != c.source {
			t.Errorf("%s: %s from %s, want %s from %s", c.what, e.Name, e.Source, c.name, c.source)
		}
	}
}

func TestFindReadsToTheEnd(t *testing.T) {
	t.Parallel()
	filler := strings.Repeat("only ASCII here, line after line\n", 20000)
	latin, err := charmap.ISO8859_1.NewEncoder().String(texts["pt"])
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "latin at the end of a long ASCII file", []byte(filler+latin), filler+texts["pt"])

	// A sequence across the border of two reads must not count as damage.
	for shift := range 4 {
		text := strings.Repeat("x", 64<<10-2+shift) + strings.Repeat("ção€😀", 30000)
		if e := FindBytes([]byte(text)); e.enc != nil || e.Invalid != 0 {
			t.Errorf("shift %d: %s with %d invalid bytes", shift, e.Name, e.Invalid)
		}
	}
	damaged := strings.Repeat("ação ", 100) + "\xe3" + strings.Repeat(" ação", 100)
	if e := FindBytes([]byte(damaged)); e.enc != nil || e.Invalid != 1 {
		t.Errorf("damaged UTF-8: %s with %d invalid bytes", e.Name, e.Invalid)
	}
}

func TestFindReportsReadErrors(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk gone")
	if _, err := Find(failing{broken}, 10); !errors.Is(err, broken) {
		t.Errorf("err = %v", err)
	}
}

type failing struct{ err error }

func (f failing) ReadAt([]byte, int64) (int, error) { return 0, f.err }

func expect(t *testing.T, what string, raw []byte, want string) {
	t.Helper()
	e, err := Find(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	got, err := io.ReadAll(e.Reader(bytes.NewReader(raw)))
	if err != nil || string(got) != want {
		t.Errorf("%s: taken for %s (%s): %.60q..., %v", what, e.Name, e.Source, got, err)
	}
}

func FuzzFind(f *testing.F) {
	f.Add([]byte("a\x00b\x00"), "utf-8")
	f.Add([]byte("\xff\xfe\x00\x00"), "latin1")
	f.Add([]byte("\x1b$B%F"), "")
	f.Add([]byte("~{<:Ky~}"), "hz-gb-2312")
	f.Fuzz(func(t *testing.T, b []byte, hint string) {
		e := FindBytes(b, hint)
		if _, err := io.Copy(io.Discard, e.Reader(bytes.NewReader(b))); err != nil {
			t.Fatalf("%s: %v", e.Name, err)
		}
	})
}
