package pyliteral

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq/pickle"
)

// literals are texts with what Python's repr(ast.literal_eval(text)) is, "" for
// an error. TestAgainstPython asks Python for the same.
var literals = []struct{ text, repr string }{
	{"None", "None"}, {"True", "True"}, {"False", "False"}, {"true", ""}, {"nan", ""}, {"", ""}, {" ", ""}, {"\n", ""},
	{" \t1", "1"}, {"1 ", "1"}, {"1\n", "1"}, {"1\n\n# end\n", "1"}, {"\n1", "1"}, {"\n 1", ""}, {"# c\n1", "1"}, {"1 # c", "1"}, {"1\n2", ""}, {"1\x00", ""},
	{"1\\\n", ""}, {"(1\n,2)", "(1, 2)"}, {"1,\n2", ""}, {"(# c\n1)", "1"}, {"[1,\\\n2]", "[1, 2]"},

	{"0", "0"}, {"00", "0"}, {"0_0", "0"}, {"01", ""}, {"1_000", "1000"}, {"1__0", ""}, {"1_", ""}, {"_1", ""}, {"12abc", ""}, {"0x1F", "31"}, {"0X_ff", "255"}, {"0x", ""}, {"0xg", ""},
	{"0o17", "15"}, {"0b1010", "10"}, {"0b12", ""}, {"9223372036854775808", "9223372036854775808"}, {"-9223372036854775808", "-9223372036854775808"},
	{"123456789012345678901234567890", "123456789012345678901234567890"}, {"-1", "-1"}, {"+1", "1"}, {"- 1", "-1"}, {"--1", ""}, {"-(1)", "-1"}, {"-(-1)", ""}, {"-((2.5))", "-2.5"},
	{"(-1)", "-1"}, {"-True", ""}, {"-None", ""}, {"-'a'", ""}, {"-(1,)", ""}, {"1+2", ""}, {"2**3", ""}, {"~1", ""}, {"not 1", ""}, {"1 if 1 else 2", ""}, {"1 .real", ""}, {"1.real", ""},
	{"1.", "1.0"}, {".5", "0.5"}, {"1.5e3", "1500.0"}, {"1E-2", "0.01"}, {"1e", ""}, {"01.5", "1.5"}, {"01e1", "10.0"}, {"1_0.0_1e+1_0", "100100000000.0"}, {"1e999", "inf"}, {"-1e999", "-inf"}, {"-0.0", "-0.0"},
	{"1e-999", "0.0"}, {".", ""}, {"1..2", ""}, {"0.1", "0.1"}, {"1e22", "1e+22"},

	{"''", "''"}, {`""`, "''"}, {"'a' 'b'", "'ab'"}, {"'a'\n'b'", ""}, {"('a'\n'b')", "'ab'"}, {"'a", ""}, {"'a\n'", ""}, {"'a\\\nb'", "'ab'"}, {"'''a\nb'''", `'a\nb'`}, {"''''''", "''"},
	{`"""a"b"""`, `'a"b'`}, {`'it\'s'`, `"it's"`}, {`'\a\b\f\n\r\t\v\\\"'`, `'\x07\x08\x0c\n\r\t\x0b\\"'`}, {`'\0\7\101\1012'`, `'\x00\x07AA2'`}, {`'\777'`, `'ǿ'`}, {`'\x41\xe9'`, "'Aé'"},
	{`'\x4'`, ""}, {`'\u00e9\U0001F600'`, "'é😀'"}, {`'\u12'`, ""}, {`'\U00110000'`, ""}, {`'\ud800'`, `'\ud800'`}, {`'\ud83d\ude00'`, `'\ud83d\ude00'`}, {`'\q\é'`, `'\\q\\é'`},
	{`r'\n'`, `'\\n'`}, {`R"\""`, `'\\"'`}, {`r'\'`, ""}, {"u'a'", "'a'"}, {"U'a' r'b'", "'ab'"}, {"ur'a'", ""}, {"f'a'", ""}, {"x'a'", ""}, {"'é漢'", "'é漢'"}, {"'\t'", `'\t'`}, {"'a\rb'", ""}, {"'''a\r\nb\rc'''", `'a\nb\nc'`},
	{"b'a'", "b'a'"}, {`b'\xff\0\u00e9'`, `b'\xff\x00\\u00e9'`}, {`rb'\xff'`, `b'\\xff'`}, {`Br"\n" b'\n'`, `b'\\n\n'`}, {"b'é'", ""}, {`rb'\é'`, ""}, {"b'a' 'b'", ""}, {`b'\777'`, `b'\xff'`}, {"b''", "b''"},

	{"()", "()"}, {"(1)", "1"}, {"(1,)", "(1,)"}, {"1,", "(1,)"}, {"1,2", "(1, 2)"}, {"1, 2,", "(1, 2)"}, {",", ""}, {"(,)", ""}, {"(1,,2)", ""}, {"(1 2)", ""}, {"((1))", "1"}, {"(1", ""}, {"1)", ""}, {"(1]", ""}, {"1,\n", "(1,)"},
	{"[]", "[]"}, {"[1]", "[1]"}, {"[1,]", "[1]"}, {"[,]", ""}, {"[[], [1, (2,)]]", "[[], [1, (2,)]]"}, {"[1 for x in y]", ""}, {"[*a]", ""}, {"[1][0]", ""},
	{"{}", "{}"}, {"{1: 2}", "{1: 2}"}, {"{1: 2,}", "{1: 2}"}, {"{'a': [1], (1, 2): None}", "{'a': [1], (1, 2): None}"}, {"{1: 'a', True: 'b', 1.0: 'c'}", "{1: 'c'}"}, {"{1}", "{1}"}, {"{1,}", "{1}"}, {"{True, 1, 1.0}", "{True}"},
	{"{,}", ""}, {"{1: 2, 3}", ""}, {"{1, 2: 3}", ""}, {"{[]: 1}", ""}, {"{[1]}", ""}, {"{{1}: 2}", ""}, {"{([],): 2}", ""}, {"{**{}}", ""}, {"set()", "set()"}, {"set( )", "set()"}, {"set", ""}, {"set(1)", ""}, {"set([])", ""}, {"dict()", ""},
	{"{1e20: 1, 100000000000000000000: 2}", "{1e+20: 2}"}, {"{0: 1, -0.0: 2}", "{0: 2}"}, {"{'1': 1, 1: 2, b'1': 3}", "{'1': 1, 1: 2, b'1': 3}"}, {"{None: 0, 1.5: 1, 1e999: 2}", "{None: 0, 1.5: 1, inf: 2}"},
	{strings.Repeat("[", 100) + strings.Repeat("]", 100), strings.Repeat("[", 100) + strings.Repeat("]", 100)}, {strings.Repeat("(", 300) + "1" + strings.Repeat(")", 300), ""},
	{"__import__('os').system('true')", ""}, {"open", ""}, {"lambda: 1", ""}, {"a", ""}, {"1; 2", ""}, {"1=2", ""},
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, c := range literals {
		v, err := Parse(c.text)
		switch {
		case err != nil && c.repr != "":
			t.Errorf("%.50q: %v", c.text, err)
		case err == nil && pickle.Repr(v) != c.repr:
			t.Errorf("%.50q: %s, want %q", c.text, pickle.Repr(v), c.repr)
		case err == nil:
			if _, err := pickle.Encode(v); err != nil {
				t.Errorf("%.50q: %v", c.text, err)
			}
		}
	}
}

// What Python takes and can't be passed on is refused with words for it.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"1j": "complex", "1+2j": "not a Python literal", "...": "not a Python literal", `'\N{DASH}'`: "by name",
		strings.Repeat("9", maxIntDigits+1): "4300 digits", "[" + strings.Repeat("(", 250): "too many nested parentheses",
	} {
		if v, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v, %v", text, v, err)
		}
	}
}

const evaluate = `
import ast, json, sys, warnings
warnings.simplefilter('ignore')
def one(text):
    try:
        return repr(ast.literal_eval(text))
    except Exception:
        return ''
json.dump([one(t) for t in json.load(sys.stdin)], sys.stdout)
`

func TestAgainstPython(t *testing.T) {
	t.Parallel()
	var texts, reprs []string
	for _, c := range literals {
		texts = append(texts, c.text)
	}
	in, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(redistest.Python(t), "-I", "-c", evaluate)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &reprs); err != nil {
		t.Fatal(err)
	}
	for i, c := range literals {
		if strings.Contains(c.text, `\ud`) {
			continue // JSON can't carry it
		}
		if reprs[i] != c.repr {
			t.Errorf("Python reads %.50q as %s, the table says %s", c.text, reprs[i], c.repr)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, c := range literals {
		f.Add(c.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if v, err := Parse(text); err == nil {
			_ = pickle.Repr(v)
		}
	})
}
