package main

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/docsvc/docsvc/pkg/extract/pdf/pdftest"
)

// What happens to a document after its processing was acknowledged.
const (
	fateNone      = ""
	fateCancel    = "cancel"
	fateDelete    = "delete"
	fateReprocess = "reprocess" // canceled, then processed again
	fatePatch     = "patch"     // given another title
)

// sample is one document of the plan.
type sample struct {
	index       int
	name        string
	contentType string
	body        []byte
	sum         [32]byte
	marker      string // stands in its text and, but for equal files, in no other's
	bad         bool   // no parser can read it: it must fail
	fate        string
	after       time.Duration // from the acknowledgement to its fate
}

// noop is one job of the plan that does nothing but be counted.
type noop struct {
	id       string
	deadly   bool // kills its worker each time
	again    bool // its function may be run again from its beginning
	retries  int
	enqueued call
}

// plan is everything that follows from the seed. Each part draws from a stream
// of its own, so that more documents don't change the faults.
type plan struct {
	seed      uint64
	documents []*sample
	noops     []noop
}

// stream returns the source of random numbers of one purpose.
func stream(seed uint64, purpose string) *rand.Rand {
	sum := sha256.Sum256([]byte(purpose))
	return rand.New(rand.NewPCG(seed, uint64(sum[0])<<24|uint64(sum[1])<<16|uint64(sum[2])<<8|uint64(sum[3])))
}

func newPlan(seed uint64, documents, noops, deadly int) *plan {
	p := &plan{seed: seed}
	r := stream(seed, "documents")
	for i := range documents {
		d := newSample(r, seed, i)
		if i > 0 && r.IntN(12) == 0 { // the same file once more
			twin := p.documents[max(0, i-1-r.IntN(6))] // soon after, so that both are in work
			d.name, d.contentType, d.body, d.marker, d.bad = twin.name, twin.contentType, twin.body, twin.marker, twin.bad
		}
		d.sum = sha256.Sum256(d.body)
		p.documents = append(p.documents, d)
	}
	r = stream(seed, "noops")
	for i := range noops {
		n := noop{id: fmt.Sprintf("chaos-%d-%05d", seed, i), again: r.IntN(10) < 6}
		if !n.again && r.IntN(2) == 0 {
			n.retries = 5
		}
		if i < deadly {
			n = noop{id: n.id, deadly: true, again: true}
		}
		p.noops = append(p.noops, n)
	}
	return p
}

func newSample(r *rand.Rand, seed uint64, i int) *sample {
	d := &sample{index: i, marker: fmt.Sprintf("marker%dx%05dx", seed, i), after: moment(r)}
	switch n := r.IntN(100); {
	case n < 8:
		d.fate = fateCancel
	case n < 16:
		d.fate = fateDelete
	case n < 21:
		d.fate = fateReprocess
	case n < 26:
		d.fate = fatePatch
	}
	words := 20 + r.IntN(400)
	if r.IntN(10) == 0 {
		words += r.IntN(30000)
	}
	text := prose(r, d.marker, words)
	switch n := r.IntN(100); {
	case n < 45:
		d.name, d.contentType, d.body = "note.txt", "text/plain", []byte(text)
	case n < 70:
		d.name, d.contentType, d.body = "page.md", "text/markdown", []byte("# "+d.marker+"\n\n"+text+"\n\n- one\n- two\n")
	case n < 90:
		d.name, d.contentType = "page.html", "text/html"
		d.body = []byte("<html><body><h1>" + d.marker + "</h1><p>" + text + "</p></body></html>")
	case n < 98:
		d.name, d.contentType, d.body = "sheet.pdf", "application/pdf", pdftest.Simple(strings.Split(text[:min(len(text), 3000)], ". "))
	default:
		d.name, d.contentType, d.bad = "torn.pdf", "application/pdf", true
		d.body = []byte("%PDF-1.7\n" + d.marker + " and then nothing that a parser can use")
	}
	return d
}

// moment is when a document's fate comes: mostly while it is in work.
func moment(r *rand.Rand) time.Duration {
	if r.IntN(3) > 0 {
		return time.Duration(r.IntN(300)) * time.Millisecond
	}
	return time.Duration(r.IntN(5000)) * time.Millisecond
}

// prose is text of about so many words, all of it distinct by its marker.
func prose(r *rand.Rand, marker string, words int) string {
	stock := strings.Fields("pump station water valve report the a of to and was checked found closed opened pressure level on by noted at")
	var b strings.Builder
	b.WriteString("This text belongs to " + marker + ". ")
	for i := range words {
		b.WriteString(stock[r.IntN(len(stock))])
		if i%11 == 10 {
			b.WriteString(fmt.Sprintf(" %d. ", r.IntN(10000)))
		} else {
			b.WriteByte(' ')
		}
	}
	b.WriteString("End of " + marker + ".")
	return b.String()
}
