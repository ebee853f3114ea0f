// Package chunk divides a rendered document into pieces for search and
// retrieval. Every piece is a slice of the stored text.
package chunk

import "github.com/docsvc/docsvc/pkg/extract"

// Defaults of Options.
const (
	DefaultMaxTokens = 500
	DefaultOverlap   = 50
)

// Options say how large chunks are. Zero MaxTokens means the defaults.
type Options struct {
	MaxTokens int // most tokens (cl100k_base) of one chunk
	Overlap   int // most tokens repeated from the end of the chunk before, in whole sentences
}

// Chunk is text[StartByte:EndByte] of the stored text.
type Chunk struct {
	ID        string `json:"id"` // the same for the same document, place and content
	Index     int    `json:"index"`
	Text      string `json:"text"`
	StartByte int    `json:"start_byte"`
	EndByte   int    `json:"end_byte"`
	StartChar int    `json:"start_char"` // in Unicode code points
	EndChar   int    `json:"end_char"`
	PageFirst int    `json:"page_first,omitempty"` // 0 when the format has no pages
	PageLast  int    `json:"page_last,omitempty"`
	// Headings is the path of headings above the chunk, outermost first.
	Headings []string `json:"headings,omitempty"`
	// TableHeader is the header row of the table whose rows the chunk goes on with; it is not part
	// of Text.
	TableHeader string `json:"table_header,omitempty"`
	Tokens      int    `json:"tokens"`
	// Kind is the kind of the chunk's blocks, "mixed" when they differ.
	Kind string `json:"kind"`
}

// Split divides r. The id of each chunk derives from docID, the chunk's place
// and its text.
func Split(r extract.Rendered, docID string, o Options) ([]Chunk, error) {
	return nil, nil
}
