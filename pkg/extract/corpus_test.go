package extract_test

import (
	"bytes"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/docsvc/docsvc/pkg/chunk"
	"github.com/docsvc/docsvc/pkg/extract"
	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/blocktest"
	"github.com/docsvc/docsvc/pkg/extract/csv"
	"github.com/docsvc/docsvc/pkg/extract/doc"
	"github.com/docsvc/docsvc/pkg/extract/docx"
	"github.com/docsvc/docsvc/pkg/extract/eml"
	"github.com/docsvc/docsvc/pkg/extract/epub"
	"github.com/docsvc/docsvc/pkg/extract/html"
	"github.com/docsvc/docsvc/pkg/extract/markdown"
	"github.com/docsvc/docsvc/pkg/extract/odt"
	"github.com/docsvc/docsvc/pkg/extract/plain"
	"github.com/docsvc/docsvc/pkg/extract/pptx"
	"github.com/docsvc/docsvc/pkg/extract/rtf"
	"github.com/docsvc/docsvc/pkg/extract/xlsx"
)

// TestCorpus reads every file below $DOCSVC_CORPUS, and $DOCSVC_MUTANTS
// damaged forms of each, with every parser written in Go, whatever the file
// is: nothing may panic or break the contract of package block, and what was
// read must render and divide. It is for collections of real and hostile
// documents that are not ours to keep in the repository, and beside the
// parsers' own tests.
func TestCorpus(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("DOCSVC_CORPUS")
	if dir == "" {
		t.Skip("DOCSVC_CORPUS names no directory of documents")
	}
	mutants, err := strconv.Atoi(os.Getenv("DOCSVC_MUTANTS"))
	if err != nil {
		mutants = 0
	}
	files, texts := 0, 0
	err = filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		raw, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		files++
		random := rand.New(rand.NewPCG(uint64(files), 1))
		texts += readAll(t, name, raw)
		for range mutants {
			readAll(t, name+" (damaged)", mutant(random, raw))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d files, %d gave text to a parser", files, texts)
}

// readAll gives a file to detection and to every parser.
func readAll(t *testing.T, name string, raw []byte) (texts int) {
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("%s: panic: %v", name, p)
			panic(p)
		}
	}()
	if _, err := extract.Detect(bytes.NewReader(raw), int64(len(raw)), filepath.Base(name), ""); err != nil && blocktest.Code(err) == "" {
		t.Errorf("%s: detection: %v", name, err)
	}
	for _, parse := range []block.Parser{docx.Parse, html.Parse, markdown.Parse, plain.Parse, pptx.Parse, xlsx.Parse, csv.Parse, odt.Parse, eml.Parse, epub.Parse, rtf.Parse, doc.Parse} {
		d, err := blocktest.Try(t, parse, raw, block.Options{})
		blocktest.Check(t, d, err)
		if err != nil {
			continue
		}
		texts++
		doc := &extract.Document{Blocks: d.Blocks, Asides: d.Asides}
		extract.Complete(doc)
		if _, err := chunk.Split(extract.Render(doc), "doc", chunk.Options{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	return texts
}

// mutant damages a file: flipped bytes, a part cut out or doubled, the end
// missing.
func mutant(random *rand.Rand, raw []byte) []byte {
	raw = bytes.Clone(raw)
	if len(raw) < 2 {
		return raw
	}
	for range 1 + random.IntN(20) {
		raw[random.IntN(len(raw))] = byte(random.Uint32())
	}
	from := random.IntN(len(raw))
	to := from + random.IntN(min(len(raw)-from, 4096))
	switch random.IntN(4) {
	case 0:
		raw = raw[:from]
	case 1:
		raw = append(raw[:from:from], raw[to:]...)
	case 2:
		raw = append(raw[:to:to], raw[from:]...)
	}
	return raw
}
