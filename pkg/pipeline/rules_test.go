package pipeline

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/tiktoken-go/tokenizer/codec"

	"github.com/docsvc/docsvc/pkg/chunk"
	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/extract"
	"github.com/docsvc/docsvc/pkg/extract/pdf/pdftest"
	"github.com/docsvc/docsvc/pkg/redistest"
)

// TestStoredChunksKeepTheRules uploads the demonstration's documents, or those
// below $DOCSVC_CORPUS, processes them with real parser processes, with the
// server's chunks and with a request's own, and holds what lies in the bucket
// to what is promised of chunks. It looks at nothing but text.md and
// chunks.jsonl, and counts tokens with another tokenizer.
func TestStoredChunksKeepTheRules(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("DOCSVC_CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "..", "scripts", "demo", "samples")
	}
	r := newRig(t, redistest.Start(t, redistest.Miniredis))
	pool := realPool(t)
	r.work(func(c *Config) {
		c.Pool, c.Chunk = pool, chunk.Options{}
	})
	files, chunks := 0, 0
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		body, err := os.ReadFile(path)
		if err != nil || len(body) == 0 {
			return err
		}
		n := 0
		for _, o := range []chunk.Options{{MaxTokens: chunk.DefaultMaxTokens, Overlap: chunk.DefaultOverlap}, {MaxTokens: 64, Overlap: 32}} {
			n += r.checkRules(path, string(body), o)
		}
		if n > 0 {
			files, chunks = files+1, chunks+n
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d documents with %d chunks keep the rules", files, chunks)
	if files < 5 {
		t.Errorf("only %d documents gave chunks", files)
	}
}

func realPool(t *testing.T) *extract.Pool {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	pool, err := extract.NewPool(extract.PoolOptions{Args: []string{"-test.run=^$"}, CacheDir: pdftest.CacheDir(t),
		Env: []string{childVariable + "=1"}, Executable: exe, Size: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close() })
	return pool
}

// checkRules processes one file and returns how many chunks it has; 0 for
// one that can't be read.
func (r *rig) checkRules(path, body string, o chunk.Options) int {
	r.t.Helper()
	n := document.NewUpload{Filename: filepath.Base(path), FileSize: int64(len(body)), ContentType: "application/octet-stream"}
	u, err := r.docs.Presign(r.t.Context(), n)
	var refused *document.Error
	if errors.As(err, &refused) {
		return 0 // a format that isn't read
	}
	if err != nil {
		r.t.Fatalf("presigning %s: %v", path, err)
	}
	r.put(document.UploadKey(u.DocumentID, u.UploadID), body)
	r.process(u, func(p *document.ProcessRequest) {
		p.AllowDuplicate = true
		if o.MaxTokens != chunk.DefaultMaxTokens {
			p.ChunkTokens, p.ChunkOverlap = &o.MaxTokens, &o.Overlap
		}
	})
	var d *document.Document
	r.until("the end of "+path, func() bool {
		d = r.doc(u.DocumentID)
		return d.Status.Final()
	})
	if d.Status != document.Completed {
		return 0
	}
	prefix := document.ArtifactPrefix(d.ID, d.ExecutionID)
	rules := &ruleBook{t: r.t, path: path, text: r.object(prefix + "text.md"), o: o, pages: d.Pages}
	return rules.check(r.object(prefix + "chunks.jsonl"))
}

// blankLines are what the other tokenizer takes apart, which counts more then:
// the expression of cl100k_base takes blanks up to the last line end as one, and
// its vocabulary has tokens of such.
var blankLines = regexp.MustCompile(`\n[^\S\n]+\n`)

// ruleBook holds the chunks of one document to the rules.
type ruleBook struct {
	t     *testing.T
	path  string
	text  string
	o     chunk.Options
	pages int
}

func (b *ruleBook) check(lines string) int {
	b.t.Helper()
	oracle := codec.NewCl100kBase()
	runes := []rune(b.text)
	ids := map[string]bool{}
	end, n := 0, 0
	for line := range strings.Lines(lines) {
		var c chunk.Chunk
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			b.t.Fatalf("%s: chunk %d: %v", b.path, n, err)
		}
		fail := func(format string, args ...any) {
			b.t.Helper()
			b.t.Errorf("%s: chunk %d (%d tokens at most): "+format, slices.Concat([]any{b.path, n, b.o.MaxTokens}, args)...)
		}
		if c.StartByte < 0 || c.EndByte > len(b.text) || c.StartByte >= c.EndByte || b.text[c.StartByte:c.EndByte] != c.Text {
			b.t.Fatalf("%s: chunk %d is not its bytes: %q", b.path, n, c.Text)
		}
		if string(runes[c.StartChar:c.EndChar]) != c.Text {
			fail("characters %d to %d are not its text", c.StartChar, c.EndChar)
		}
		if tokens, err := oracle.Count(c.Text); (err != nil || tokens != c.Tokens) && !blankLines.MatchString(c.Text) || c.Tokens > b.o.MaxTokens {
			fail("%d tokens by another count, said %d, error %v", tokens, c.Tokens, err)
		}
		if c.Index != n || c.ID == "" || ids[c.ID] || c.Kind == "" {
			fail("index %d, id %q, kind %q", c.Index, c.ID, c.Kind)
		}
		if c.EndByte <= end || strings.TrimFunc(b.text[end:max(end, c.StartByte)], unicode.IsSpace) != "" {
			fail("not all before it is covered, or it brings nothing new")
		}
		if shared := b.text[min(c.StartByte, end):end]; shared != "" {
			if tokens, err := oracle.Count(strings.TrimSpace(shared)); err != nil || tokens > b.o.Overlap+1 {
				fail("%d tokens of overlap, error %v", tokens, err)
			}
		}
		if (c.PageFirst == 0) != (c.PageLast == 0) || c.PageFirst > c.PageLast || c.PageLast > b.pages {
			fail("pages %d to %d of %d", c.PageFirst, c.PageLast, b.pages)
		}
		if h := c.TableHeader; h != "" && (strings.Contains(h, "\n") || strings.HasPrefix(c.Text, h)) {
			fail("the header row %q is in the slice, too", h)
		}
		for _, h := range c.Headings {
			if strings.TrimSpace(h) == "" || strings.Contains(h, "\n") {
				fail("headings %q", c.Headings)
			}
		}
		ids[c.ID] = true
		end = max(end, c.EndByte)
		n++
	}
	if strings.TrimFunc(b.text[end:], unicode.IsSpace) != "" {
		b.t.Errorf("%s: %d bytes at the end are in no chunk", b.path, len(b.text)-end)
	}
	return n
}
