package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/rs/zerolog"

	"github.com/docsvc/docsvc/pkg/document"
)

// Chunks is what GET /documents/{id}/chunks answers.
type Chunks struct {
	Chunks     []chunkJSON `json:"chunks" nullable:"false" doc:"Chunks in the order of the text"`
	NextCursor *string     `json:"next_cursor" doc:"Give it as cursor for the next page; null on the last"`
	Total      int         `json:"total" doc:"Chunks of the document"`
}

// chunkJSON is a line of the stored chunks, passed on as it is.
type chunkJSON json.RawMessage

func (c chunkJSON) MarshalJSON() ([]byte, error) { return json.RawMessage(c).MarshalJSON() }

// Schema documents what a line holds.
func (chunkJSON) Schema(r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[Chunk](), true, "Chunk")
}

// Chunk documents one chunk. The fields are those of package chunk, held to
// them by a test.
type Chunk struct {
	ID          string   `json:"id" doc:"The same for the same document, place and content"`
	Index       int      `json:"index" doc:"Its place, from 0"`
	Text        string   `json:"text" doc:"The text from start_byte to end_byte"`
	StartByte   int      `json:"start_byte" doc:"Where it begins in the text, in bytes"`
	EndByte     int      `json:"end_byte" doc:"Where it ends"`
	StartChar   int      `json:"start_char" doc:"Where it begins, in Unicode characters"`
	EndChar     int      `json:"end_char" doc:"Where it ends"`
	PageFirst   int      `json:"page_first,omitempty" doc:"Its first page; left out where the format has none"`
	PageLast    int      `json:"page_last,omitempty" doc:"Its last page"`
	Headings    []string `json:"headings,omitempty" doc:"The headings above it, outermost first"`
	TableHeader string   `json:"table_header,omitempty" doc:"The header row of the table that it goes on with; not part of text"`
	Tokens      int      `json:"tokens" doc:"Tokens (cl100k_base)"`
	Kind        string   `json:"kind" doc:"Kind of its blocks: heading, paragraph, list_item, code, quote, table, ...; mixed when they differ"`
}

type contentOutput struct{ Body func(huma.Context) }

func (a *api) contentRoutes() {
	register(a, operation{
		ID: "get-text", Method: "GET", Path: "/api/v1/documents/{document_id}/text", Tag: tagDocuments, Unbounded: true,
		Summary: "The document's text",
		Description: "As Markdown in UTF-8: the body in reading order, then headers, footers, notes, comments and form values, each marked. " +
			"A large text is answered with a redirect. That of a duplicate is the first document's.",
		Curl:  `curl -L http://localhost:8000/api/v1/documents/DOCUMENT_ID/text`,
		Codes: contentCodes(),
		Responses: map[string]*huma.Response{
			"200": binaryResponse("OK", "text/markdown"), "302": redirectResponse(),
		},
	}, a.text)
	register(a, operation{
		ID: "get-thumbnail", Method: "GET", Path: "/api/v1/documents/{document_id}/thumbnail", Tag: tagDocuments, Unbounded: true,
		Summary: "A picture of the document's first page",
		Description: "A PNG file of at most 320 pixels a side. PDFs and images have one, unless their first page can't be drawn; of other formats, " +
			"and of documents processed before there were thumbnails, the answer is 404 no_thumbnail. That of a duplicate is the first document's.",
		Curl:  `curl -o thumbnail.png http://localhost:8000/api/v1/documents/DOCUMENT_ID/thumbnail`,
		Codes: contentCodes("no_thumbnail"),
		Responses: map[string]*huma.Response{
			"200": binaryResponse("OK", "image/png"), "302": redirectResponse(),
		},
	}, a.thumbnail)
	register(a, operation{
		ID: "get-original", Method: "GET", Path: "/api/v1/documents/{document_id}/original", Tag: tagDocuments, Unbounded: true,
		Summary: "The file as it was uploaded",
		Description: "A large file is answered with a redirect to the storage. After processing it is there only with the setting storage.keep_original; " +
			"that of a failed document is kept for a week unless configured otherwise.",
		Curl:  `curl -L -o manual.pdf http://localhost:8000/api/v1/documents/DOCUMENT_ID/original`,
		Codes: contentCodes("original_removed"),
		Responses: map[string]*huma.Response{
			"200": binaryResponse("OK", "application/octet-stream"), "302": redirectResponse(),
		},
	}, a.original)
}

func (a *api) text(ctx context.Context, in *DocumentPath) (*contentOutput, error) {
	return a.content(ctx, func(ctx context.Context) (*document.Content, error) { return a.Documents.Text(ctx, in.id()) })
}

func (a *api) thumbnail(ctx context.Context, in *DocumentPath) (*contentOutput, error) {
	return a.content(ctx, func(ctx context.Context) (*document.Content, error) { return a.Documents.Thumbnail(ctx, in.id()) })
}

func (a *api) original(ctx context.Context, in *DocumentPath) (*contentOutput, error) {
	return a.content(ctx, func(ctx context.Context) (*document.Content, error) { return a.Documents.Original(ctx, in.id()) })
}

// content opens a file and answers with it or with where it is. The time is
// bounded between steps, not in all: a large file may take a slow client long.
func (a *api) content(ctx context.Context, open func(context.Context) (*document.Content, error)) (*contentOutput, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	stalled := time.AfterFunc(a.requestTimeout, func() { cancel(context.DeadlineExceeded) })
	c, err := open(ctx)
	if err != nil {
		stalled.Stop()
		if context.Cause(ctx) == context.DeadlineExceeded {
			err = fmt.Errorf("opening: %w (%w)", context.DeadlineExceeded, err)
		}
		cancel(nil)
		return nil, err
	}
	return &contentOutput{Body: func(h huma.Context) {
		defer cancel(nil)
		defer stalled.Stop()
		if c.URL != "" {
			h.SetHeader("Location", c.URL)
			h.SetStatus(http.StatusFound)
			return
		}
		defer func() { _ = c.Body.Close() }()
		contentHeaders(h, c)
		h.SetStatus(http.StatusOK)
		if h.Method() == http.MethodHead {
			return
		}
		if err := copyContent(h.BodyWriter(), c.Body, func() { stalled.Reset(a.requestTimeout) }); err != nil {
			// The status is out. net/http cuts a connection whose answer is shorter than its
			// Content-Length, and that tells the client that the file is not whole.
			zerolog.Ctx(h.Context()).Warn().Err(err).Msg("answer broke off")
		}
	}}, nil
}

// contentHeaders keeps a browser from taking somebody's file for a page of
// this server.
func contentHeaders(h huma.Context, c *document.Content) {
	h.SetHeader("Content-Type", c.ContentType)
	h.SetHeader("Content-Length", strconv.FormatInt(c.Size, 10))
	disposition := "attachment"
	if c.Filename != "" {
		if d := mime.FormatMediaType(disposition, map[string]string{"filename": c.Filename}); d != "" {
			disposition = d
		}
	}
	h.SetHeader("Content-Disposition", disposition)
}

// copyContent is io.Copy that reports each step.
func copyContent(w io.Writer, r io.Reader, step func()) error {
	buf := make([]byte, 64<<10)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			step()
			if _, err := w.Write(buf[:n]); err != nil {
				return fmt.Errorf("writing: %w", err)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading from storage: %w", err)
		}
	}
}
