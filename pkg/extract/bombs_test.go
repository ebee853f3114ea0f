package extract

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/bombtest"
	"github.com/docsvc/docsvc/pkg/extract/pdf/pdftest"
)

// Bombs are refused as such by a child that may not take more than bombMemory
// in all: one that took more would be ended, and the code would be memory.
func TestBombsAreRefusedInLittleMemory(t *testing.T) {
	t.Parallel()
	if _, ok := residentMemory(os.Getpid()); !ok {
		t.Skip("resident memory can't be read on this system")
	}
	p := testPool(t, func(o *PoolOptions) { o.CacheDir = pdftest.CacheDir(t); o.MemoryLimit = bombMemory })
	for _, b := range bombtest.All() {
		if _, err := Detect(bytes.NewReader(b.Raw), int64(len(b.Raw)), b.Name, ""); codeOf(err) == block.CodeUnsupported {
			t.Logf("%s, %s: not a format that is read", b.Name, b.What)
			continue
		}
		t.Run(b.Name+", "+b.What, func(t *testing.T) {
			_, err := p.Extract(t.Context(), Request{File: testFile(t, string(b.Raw)), Name: b.Name}, nil)
			if b.Code != "" {
				wantCode(t, err, b.Code)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	doc, err := p.Extract(t.Context(), Request{File: testFile(t, string(pdftest.Simple([]string{"still here"})))}, nil)
	if err != nil || len(doc.Blocks) != 1 || doc.Blocks[0].Kind != block.Paragraph {
		t.Errorf("the next document: %+v, %v", doc, err)
	}
}

func codeOf(err error) string {
	var coded *Error
	if errors.As(err, &coded) {
		return coded.Code
	}
	return ""
}
