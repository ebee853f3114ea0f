package extract

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

func TestExtractEndsWhatTakesTooLong(t *testing.T) {
	t.Parallel()
	for name, document := range map[string]string{"silent": "!hang", "spinning": "!spin"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := testPool(t)
			stillWorks(t, p) // the child is up: its start isn't measured
			p.o.ProgressTimeout = 200 * time.Millisecond
			_, err := extractText(t, p, document)
			if e := wantCode(t, err, block.CodeTimeout); !strings.Contains(e.Message, "no progress") {
				t.Errorf("message %q", e.Message)
			}
			p.o.ProgressTimeout = time.Minute
			stillWorks(t, p)
		})
	}
	t.Run("busy for ever", func(t *testing.T) {
		t.Parallel()
		p := testPool(t)
		stillWorks(t, p)
		p.o.Timeout = 300 * time.Millisecond
		_, err := extractText(t, p, "!busy")
		if e := wantCode(t, err, block.CodeTimeout); !strings.Contains(e.Message, "300ms") {
			t.Errorf("message %q", e.Message)
		}
		p.o.Timeout = time.Minute
		stillWorks(t, p)
	})
}

func TestExtractEndsWhatTakesTooMuchMemory(t *testing.T) {
	t.Parallel()
	limit := func(o *PoolOptions) { o.MemoryLimit = 192 << 20 }
	t.Run("seen by the parent", func(t *testing.T) {
		t.Parallel()
		if _, ok := residentMemory(os.Getpid()); !ok {
			t.Skip("resident memory can't be read on this system")
		}
		p := testPool(t, limit)
		_, err := extractText(t, p, "!allocate")
		wantCode(t, err, block.CodeMemory)
		stillWorks(t, p)
	})
	t.Run("seen by the child", func(t *testing.T) {
		t.Parallel()
		p := testPool(t, limit)
		p.rss = func(int) (int64, bool) { return 0, false }
		_, err := extractText(t, p, "!allocate")
		wantCode(t, err, block.CodeMemory)
		stillWorks(t, p)
	})
}

// Compiling PDFium takes more than a document may.
func TestLoadingAParserMayTakeMoreMemory(t *testing.T) {
	t.Parallel()
	p := testPool(t, func(o *PoolOptions) { o.MemoryLimit = 192 << 20; o.Env = []string{childVariable + "=heavy"} })
	doc, err := extractText(t, p, "?text heavy")
	if err != nil || doc.Format != "heavy" || doc.Blocks[0].Text != "heavy" {
		t.Fatalf("document %+v, error %v", doc, err)
	}
	_, err = extractText(t, p, "!allocate")
	wantCode(t, err, block.CodeMemory)
	stillWorks(t, p)
}

func TestExtractRefusesWhatIsTooLarge(t *testing.T) {
	t.Parallel()
	p := testPool(t, func(o *PoolOptions) { o.MaxFileSize = 100; o.MaxOutput = 1 << 20; o.MaxPages = 2 })
	_, err := extractText(t, p, "!text "+strings.Repeat("x", 200))
	wantCode(t, err, block.CodeTooLarge)
	if s := p.Stats(); s.Children != 0 {
		t.Error("a child was started for a file that is too large")
	}
	_, err = extractText(t, p, "!long 2000000")
	wantCode(t, err, block.CodeTooLarge)
	stillWorks(t, p)
}

func TestExtractRefusesWhatIsNoFile(t *testing.T) {
	t.Parallel()
	p := testPool(t)
	if _, err := p.Extract(t.Context(), Request{}, nil); err == nil {
		t.Error("no error without a file")
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if _, err := p.Extract(t.Context(), Request{File: r}, nil); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a pipe: %v", err)
	}
}
