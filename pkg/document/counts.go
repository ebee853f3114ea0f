package document

import "github.com/docsvc/docsvc/pkg/rq"

// The fields of keys.counts that are not about one format.
const (
	countStoredBytes = "stored_bytes" // artifacts and kept originals
	countTextBytes   = "text_bytes"
	countPages       = "pages"
	countWords       = "words"
	countChunks      = "chunks"
	// countFormat begins the field that counts the documents of a format.
	countFormat = "format:"
)

// counted is what one document adds to the counters of its owner's archive.
// A duplicate counts by its format, and by what it stores itself: its text,
// pages, words and chunks are the first document's and counted there.
type counted struct {
	format                                       string
	storedBytes, textBytes, pages, words, chunks int64
}

// counted is what the record was counted with; none when it never was, since
// a docsvc that keeps no counters finished it.
func (d *Document) counted() counted {
	if !d.Status.Succeeded() || !d.wasCounted {
		return counted{}
	}
	c := counted{format: d.Format, storedBytes: d.StoredBytes}
	if d.Status == Completed {
		c.textBytes, c.pages, c.words, c.chunks = d.TextBytes, int64(d.Pages), int64(d.Words), int64(d.TotalChunks)
	}
	return c
}

// counted is what a run that ends with the manifest adds.
func (m *Manifest) counted(s State) counted {
	c := counted{format: m.Format, storedBytes: m.StoredBytes}
	if s == Completed {
		c.textBytes, c.pages, c.words, c.chunks = m.TextBytes, int64(m.Pages), int64(m.Words), int64(m.Chunks)
	}
	return c
}

// count adds to the counters (sign 1) or takes away from them (sign -1). It
// belongs into scripts that cannot apply twice: those with a condition that
// their own writes end.
func (e *effects) count(c counted, sign int64) {
	add := func(field string, n int64) {
		if n != 0 {
			e.add(rq.HIncrBy(e.k.counts(), field, sign*n))
		}
	}
	if c.format != "" {
		add(countFormat+c.format, 1)
	}
	add(countStoredBytes, c.storedBytes)
	add(countTextBytes, c.textBytes)
	add(countPages, c.pages)
	add(countWords, c.words)
	add(countChunks, c.chunks)
}
