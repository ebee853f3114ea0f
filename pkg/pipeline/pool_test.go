package pipeline

import (
	"os"
	"strings"
	"testing"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/extract"
	"github.com/docsvc/docsvc/pkg/redistest"
)

// The same with real extraction, in child processes of this binary.
func TestWithRealExtraction(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		pool, err := extract.NewPool(extract.PoolOptions{Executable: exe, Args: []string{"_extract"}, Env: []string{childVariable + "=1"}, Size: 1})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = pool.Close() })
		r := newRig(t, s)
		r.work(func(c *Config) { c.Pool = pool })
		md := r.upload("a.md", "# Relatório\n\nPrimeira frase. Segunda frase.\n\n- um\n- dois\n", func(n *document.NewUpload) { n.ContentType = "text/markdown" })
		html := r.upload("b.html", "<!DOCTYPE html><html><head><title>Page</title></head><body><h1>Head</h1><p>Some text.</p></body></html>",
			func(n *document.NewUpload) { n.ContentType = "application/octet-stream" })
		zip := r.upload("c.pdf", "PK\x03\x04 this is no archive and no PDF", func(n *document.NewUpload) { n.ContentType = "application/pdf" })
		for _, u := range []*document.Upload{md, html, zip} {
			r.process(u)
		}
		for _, c := range []struct {
			u            *document.Upload
			format, text string
		}{{md, "markdown", "Primeira frase. Segunda frase."}, {html, "html", "Some text."}} {
			d := r.await(c.u.DocumentID, document.Completed)
			text := r.object(document.ArtifactPrefix(d.ID, d.ExecutionID) + document.TextName)
			if d.Format != c.format || !strings.Contains(text, c.text) || d.Words == 0 || d.Extractor == "" || d.TotalChunks == 0 {
				t.Errorf("format %q, %d words, extractor %q, %d chunks, text %q", d.Format, d.Words, d.Extractor, d.TotalChunks, text)
			}
		}
		d := r.await(zip.DocumentID, document.Failed)
		if d.ErrorCode == "" || d.Attempts != 1 || !strings.Contains(d.Error, " ") {
			t.Errorf("a zip called PDF: code %q, error %q, %d attempts", d.ErrorCode, d.Error, d.Attempts)
		}
	})
}
