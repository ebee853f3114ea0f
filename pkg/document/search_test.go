package document

import (
	"slices"
	"testing"
)

func TestSearchFindsBeginningsOfWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		search, text string
		want         bool
	}{
		{"manual", "Manual de Teste", true},
		{"MAN tes", "Manual de Teste", true},
		{"teste manual", "Manual de Teste", true}, // in any order
		{"anual", "Manual de Teste", false},       // not the beginning of a word
		{"manuals", "Manual de Teste", false},
		{"manual x", "Manual de Teste", false}, // every word
		{"relatorio", "Relatório.pdf", true},
		{"RELATÓRIO", "relatorio.pdf", true},
		{"relato\u0301rio", "relat\u00f3rio", true}, // composed or not
		{"acao", "Ação", true},
		{"strasse", "Straße 5", true},
		{"straße", "STRASSE", true},
		{"finance", "\ufb01nance", true}, // a ligature
		{"σοφος", "ΣΟΦΟΣ", true},         // final and other sigma
		{"istanbul", "İstanbul", true},
		{"pdf", "manual.pdf", true},
		{"manual.pdf", "manual_v2.pdf", true}, // words, not the text
		{"anual", "RelatorioAnual2024.pdf", true},
		{"2024", "RelatorioAnual2024.pdf", true},
		{"relatorioanual2024", "RelatorioAnual2024.pdf", true},
		{"report", "PDFReport", true},
		{"eport", "PDFReport", false},
		{"écoles", "PDFÉcoles", true},
		{"coles", "PDFÉcoles", false},
		{"\xff", "anything", true}, // no word either
		{"a", "\xffa\xff", true},
		{"b", "a\x00b", true},
		{"v2", "manual-v2", true},
		{"nf-e 123", "NFe_123", false},
		{"nf 123", "NFe_123", true},
		{"東京", "2024年東京", true},
		{"京", "東京", true},
		{"१२", "रिपोर्ट १२३", true},
		{"\u0301", "anything", true}, // no word at all: List refuses it
		{"a", "", false},
	} {
		f := newFolder()
		if got := f.found(searchWords(c.search), c.text); got != c.want {
			t.Errorf("%q in %q: got %v; words %q in %q at %v", c.search, c.text, got, searchWords(c.search), f.text, f.starts)
		}
	}
	if !newFolder().found(searchWords("manual invoice"), "Manual", "invoice.pdf") {
		t.Error("words must be found across title and file name")
	}
}

func TestSearchWords(t *testing.T) {
	t.Parallel()
	for search, want := range map[string][]string{
		"": nil, " \t": nil, "???": nil, "📄": nil,
		"Ação, 2024!":  {"acao", "2024"},
		"AnnualReport": {"annualreport"},
	} {
		if got := searchWords(search); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", search, got, want)
		}
	}
}
