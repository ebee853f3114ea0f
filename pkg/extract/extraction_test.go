package extract

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// paged is a document of pages "3:exit 5:hang" of so many pages: what each does
// to its reader. Every other page has text, handed over at once.
func (s *testFormats) paged(ctx context.Context, rest string, o block.Options, sink block.Sink) error {
	count, what, _ := strings.Cut(rest, " ")
	pages, _ := strconv.Atoi(count)
	does := make(map[string]string)
	for _, word := range strings.Fields(what) {
		page, deed, _ := strings.Cut(word, ":")
		does[page] = deed
	}
	if err := sink.Meta(block.Metadata{Pages: pages}); err != nil {
		return err
	}
	for n := max(1, o.Pages.From); n <= pages; n++ {
		if o.Pages.Skips(n) {
			continue
		}
		if err := sink.(block.PageBeginner).PageBegins(n); err != nil {
			return err
		}
		switch deed := does[strconv.Itoa(n)]; deed {
		case "":
		case "bad":
			if err := sink.PageError(n, "It is bad."); err != nil {
				return err
			}
			continue
		case "blank":
			continue
		case "crash":
			return block.Errorf(block.CodeCrash, "It broke.")
		default:
			if err := s.do(ctx, deed, "1", o, sink); err != nil {
				return err
			}
		}
		if err := sink.Block(block.Block{Kind: block.Paragraph, Text: fmt.Sprintf("page %d by %d", n, os.Getpid()), Page: n}); err != nil {
			return err
		}
		if err := sink.(*frameSink).flush(); err != nil {
			return err
		}
		if err := sink.PageDone(n, pages); err != nil {
			return err
		}
	}
	return nil
}

func TestAPageThatEndsItsReaderIsLeftOut(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		document, text, failed string
		silence                time.Duration
	}{
		"a crash":                  {"6 3:exit", "1 2 4 5 6", "3", 0},
		"the first page":           {"3 1:exit", "2 3", "1", 0},
		"the last page":            {"3 3:exit", "1 2", "3", 0},
		"a hang":                   {"4 2:hang", "1 3 4", "2", 10 * time.Second},
		"memory":                   {"4 3:allocate", "1 2 4", "3", 0},
		"with bad pages before it": {"6 2:bad 4:panic 6:bad", "1 3 5", "2 4 6", 0},
		"after a blank one":        {"4 2:blank 3:exit", "1 4", "3", 0},
		"a second one":             {"7 3:exit 5:panic", "1 2 4", "3 5 6 7", 0},
		"two in a row":             {"5 3:exit 4:exit", "1 2", "3 4 5", 0},
		"a parser that gives up":   {"5 3:crash", "1 2 4 5", "3", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := testPool(t, func(o *PoolOptions) { o.MemoryLimit = 192 << 20 })
			stillWorks(t, p)
			if c.silence > 0 {
				p.o.ProgressTimeout = c.silence
			}
			doc, err := extractText(t, p, "!paged "+c.document)
			if err != nil {
				t.Fatal(err)
			}
			var text, failed []string
			for _, b := range doc.Blocks {
				text = append(text, strconv.Itoa(b.Page))
			}
			for _, e := range doc.PageErrors {
				failed = append(failed, strconv.Itoa(e.Page))
				if !strings.HasSuffix(e.Message, ".") {
					t.Errorf("page %d: %q", e.Page, e.Message)
				}
			}
			if got := strings.Join(text, " "); got != c.text {
				t.Errorf("text of pages %s, want %s", got, c.text)
			}
			if got := strings.Join(failed, " "); got != c.failed {
				t.Errorf("failed pages %s, want %s", got, c.failed)
			}
			if !doc.Partial {
				t.Error("it doesn't count as partial")
			}
			p.o.ProgressTimeout = time.Minute
			stillWorks(t, p)
		})
	}
}

func TestADocumentOfWhichNoPageCanBeReadFails(t *testing.T) {
	t.Parallel()
	for document, code := range map[string]string{
		"2 1:exit 2:exit":                 block.CodeCrash,
		"9 1:exit 2:panic":                block.CodeCrash,
		"5 1:blank 2:exit 3:blank 4:exit": block.CodeCrash,
	} {
		p := testPool(t)
		_, err := extractText(t, p, "!paged "+document)
		wantCode(t, err, code)
		stillWorks(t, p)
	}
}

// Time that runs out costs the pages that were not reached.
func TestPagesReadInTimeAreKept(t *testing.T) {
	t.Parallel()
	p := testPool(t)
	stillWorks(t, p)
	p.o.Timeout = time.Second
	doc, err := extractText(t, p, "!paged 4 3:busy")
	if err != nil {
		wantCode(t, err, block.CodeTimeout) // on a busy machine not even the first page came
		t.Skip("nothing was read within a second")
	}
	if !doc.Partial || len(doc.PageErrors) == 0 || doc.PageErrors[len(doc.PageErrors)-1].Page != 4 || len(doc.Warnings) == 0 {
		t.Errorf("document %+v", doc)
	}
}
