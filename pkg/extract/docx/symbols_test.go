package docx

import (
	"testing"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/blocktest"
)

func TestSymbols(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ font, char, want string }{
		{"Symbol", "F061", "α"}, {"Symbol", "F044", "Δ"}, {"Symbol", "F0B3", "≥"}, {"Symbol", "F0B1", "±"}, {"Symbol", "F032", "2"}, {"Symbol", "F0FF", ""},
		{"Wingdings", "F0FC", "✓"}, {"Wingdings 2", "F052", "☑"}, {"Wingdings", "F0E0", "→"}, {"Wingdings", "F04A", ""}, {"Webdings", "F041", "A"}, {"Arial", "20AC", "€"}, {"Arial", "x", ""},
	} {
		if got := symbol(c.font, c.char); got != c.want {
			t.Errorf("%s %s: %q, want %q", c.font, c.char, got, c.want)
		}
	}
}

func TestFormulas(t *testing.T) {
	t.Parallel()
	r := func(s string) string { return "<m:r><m:t>" + s + "</m:t></m:r>" }
	for xml, want := range map[string]string{
		"<m:sSub><m:e>" + r("x") + "</m:e><m:sub>" + r("ij") + "</m:sub></m:sSub>":                                                                                                                "x_(ij)",
		"<m:sSubSup><m:e>" + r("x") + "</m:e><m:sub>" + r("1") + "</m:sub><m:sup>" + r("23") + "</m:sup></m:sSubSup>":                                                                             "x_1^23",
		"<m:rad><m:deg>" + r("3") + "</m:deg><m:e>" + r("x") + "</m:e></m:rad>":                                                                                                                   "3√x",
		"<m:func><m:fName>" + r("sin") + "</m:fName><m:e>" + r("x") + "</m:e></m:func>":                                                                                                           "sin x",
		"<m:d><m:dPr><m:begChr m:val=\"[\"/><m:endChr m:val=\"\"/></m:dPr><m:e>" + r("a") + "</m:e><m:e>" + r("b") + "</m:e></m:d>":                                                               "[a, b",
		"<m:m><m:mr><m:e>" + r("a") + "</m:e><m:e>" + r("b") + "</m:e></m:mr><m:mr><m:e>" + r("c") + "</m:e></m:mr></m:m>":                                                                        "a, b; c",
		"<m:nary><m:sub>" + r("0") + "</m:sub><m:sup>" + r("1") + "</m:sup><m:e>" + r("x") + "</m:e></m:nary>":                                                                                    "∫_0^1 x",
		"<m:limLow><m:e>" + r("lim") + "</m:e><m:lim>" + r("n") + "</m:lim></m:limLow>":                                                                                                           "lim_n",
		"<m:acc><m:accPr><m:chr m:val=\"^\"/></m:accPr><m:e>" + r("x") + "</m:e></m:acc><m:box><m:e>" + r("y") + "</m:e></m:box><w:del><w:r><w:delText>gone</w:delText></w:r></w:del><m:ctrlPr/>": "xy",
		"<m:f><m:num>" + r("1") + "</m:num><m:den><m:f><m:num>" + r("a") + "</m:num><m:den>" + r("b") + "</m:den></m:f></m:den></m:f>":                                                            "1/(a/b)",
	} {
		d := blocktest.Parse(t, Parse, docxFile{body: "<w:p><m:oMath>" + xml + "</m:oMath></w:p>"}.pack(t), block.Options{})
		if got := blocktest.Outline(d.Blocks); got != "paragraph: "+want+"\n" {
			t.Errorf("%s: %q, want %q", xml, got, want)
		}
	}
}
