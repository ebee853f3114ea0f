package httpapi

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/rs/zerolog"
)

// operation is one route with everything that documents it. The page below
// /docs, the OpenAPI document and the tests of docs/api.md all read it.
type operation struct {
	ID          string
	Method      string
	Path        string
	Tag         string
	Summary     string
	Description string
	Curl        string   // the call as typed into a shell
	Example     string   // JSON of a successful answer
	Status      int      // of a successful answer; 200 if 0
	Codes       []string // errors beside those that any operation may answer
	Open        bool     // answers without an API key

	// Unbounded leaves it to the handler to end in time.
	Unbounded bool
	// Responses are successful answers that the handler's types don't show.
	Responses map[string]*huma.Response
}

// The tags, in the order of the documentation.
const (
	tagDocuments = "Documents"
	tagQueue     = "Queue"
	tagServer    = "Server"
)

// register adds an operation whose handler's errors all become Problems, in
// one place: see problemOf.
func register[I, O any](a *api, op operation, handler func(context.Context, *I) (*O, error)) {
	h := op.huma(len(a.mux.patterns))
	timeout := a.requestTimeout
	huma.Register(a.huma, h, func(ctx context.Context, in *I) (*O, error) {
		bounded := ctx
		if !op.Unbounded {
			var cancel context.CancelFunc
			bounded, cancel = context.WithTimeout(ctx, timeout)
			defer cancel()
		}
		out, err := handler(bounded, in)
		if err != nil {
			return nil, logged(ctx, problemOf(err))
		}
		return out, nil
	})
	if op.Example == "" {
		return
	}
	for _, media := range h.Responses[strconv.Itoa(cmp.Or(op.Status, http.StatusOK))].Content {
		media.Example = json.RawMessage(op.Example)
	}
}

// huma gives the operation in huma's terms. place is its place in the
// documentation. Body size and time are bounded before huma sees a request,
// see readBody.
func (op operation) huma(place int) huma.Operation {
	h := huma.Operation{
		OperationID: op.ID, Method: op.Method, Path: op.Path, Tags: []string{op.Tag},
		Summary: op.Summary, Description: op.Description, DefaultStatus: op.Status,
		MaxBodyBytes: -1, BodyReadTimeout: -1,
		Metadata:                     map[string]any{"place": place},
		RejectUnknownQueryParameters: true,
		Responses:                    map[string]*huma.Response{},
		Extensions: map[string]any{
			"x-codeSamples": []codeSample{{Lang: "Shell", Source: op.Curl}},
		},
	}
	if op.Open {
		h.Security = []map[string][]string{}
	}
	for status, r := range op.Responses {
		h.Responses[status] = r
	}
	for _, status := range op.errorStatuses() {
		h.Responses[strconv.Itoa(status)] = op.errorResponse(status)
	}
	return h
}

// codeSample is how documentation tools expect an operation's example call.
type codeSample struct {
	Lang   string `json:"lang"`
	Source string `json:"source"`
}

// codes lists the error codes that the operation may answer.
func (op operation) codes() []string {
	codes := append([]string{"internal_error"}, op.Codes...)
	if !op.Open {
		codes = append(codes, "unauthorized", "host_not_allowed", "timed_out")
	}
	if op.Method != http.MethodGet {
		codes = append(codes, "body_too_large", "cross_origin", "invalid_json", "request_timeout", "unreadable_body", "unsupported_media_type")
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

func (op operation) errorStatuses() []int {
	var statuses []int
	for _, c := range op.codes() {
		e, ok := errorCodes[c]
		if !ok {
			panic("httpapi: operation " + op.ID + " names the unknown error code " + c)
		}
		statuses = append(statuses, e.Status)
	}
	slices.Sort(statuses)
	return slices.Compact(statuses)
}

func (op operation) errorResponse(status int) *huma.Response {
	r := &huma.Response{Content: map[string]*huma.MediaType{
		"application/problem+json": {Schema: &huma.Schema{Ref: "#/components/schemas/Problem"}},
	}}
	var codes []string
	for _, c := range op.codes() {
		if errorCodes[c].Status == status {
			codes = append(codes, c)
		}
	}
	r.Description = http.StatusText(status) + ": " + strings.Join(codes, ", ")
	r.Extensions = map[string]any{"x-codes": codes}
	if status == http.StatusServiceUnavailable {
		r.Headers = map[string]*huma.Param{"Retry-After": {
			Description: "Seconds to wait before trying again", Schema: &huma.Schema{Type: huma.TypeInteger},
		}}
	}
	return r
}

// GetHeaders puts Retry-After on the answers that huma writes.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.retryAfter > 0 {
		h.Set("Retry-After", seconds(p.retryAfter))
	}
	return h
}

// logged writes what an answer hides to the log and gives the answer its id.
func logged(ctx context.Context, p *Problem) *Problem {
	p.RequestID = requestIDOf(ctx)
	log := zerolog.Ctx(ctx)
	switch {
	case p.Status >= 500 && p.Status != http.StatusServiceUnavailable:
		log.Error().Err(p.cause).Str("code", p.Code).Msg("request failed")
	case p.cause != nil:
		log.Warn().Err(p.cause).Str("code", p.Code).Msg("request refused")
	}
	return p
}

// refusals turns what huma found wrong with a request into a Problem.
func refusals(ctx huma.Context, _ string, v any) (any, error) {
	m, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	p := newProblem("invalid_request", "")
	if m.Status != http.StatusUnprocessableEntity {
		// Every body that reaches huma is JSON of a good size, and handlers give Problems only.
		p = internalProblem(requestIDOf(ctx.Context()))
		p.Status = m.Status
		zerolog.Ctx(ctx.Context()).Error().Int("status", m.Status).Str("detail", m.Detail).Msg("unexpected refusal")
		return p, nil
	}
	p.RequestID = requestIDOf(ctx.Context())
	for _, e := range m.Errors {
		if e != nil {
			p.Errors = append(p.Errors, fieldError(e.Location, e.Message))
		}
	}
	p.Errors = tidy(p.Errors)
	p.Detail = "The request was refused. " + sentence(p.Errors)
	return p, nil
}

// tidy sorts errors, since huma walks maps, and drops the echo that decoding
// gives of what validation has already found.
func tidy(errs []FieldError) []FieldError {
	slices.SortFunc(errs, func(a, b FieldError) int {
		return cmp.Or(strings.Compare(a.Location, b.Location), strings.Compare(a.Message, b.Message))
	})
	errs = slices.Compact(errs)
	const most = 20
	if len(errs) > most {
		errs = errs[:most]
	}
	return errs
}

func sentence(errs []FieldError) string {
	var parts []string
	for _, e := range errs {
		parts = append(parts, e.Location+": "+e.Message)
	}
	return strings.Join(parts, "; ") + "."
}

// fieldError words one of huma's messages for the person who sent the
// request. The value is not repeated: it may be a password.
func fieldError(location, message string) FieldError {
	if name, ok := between(message, "expected required property ", " to be present"); ok {
		return FieldError{Location: location + "." + name, Message: "is required"}
	}
	if message == "unexpected property" {
		message = "no such field"
	}
	if head, number, ok := strings.Cut(message, "e+"); ok {
		// Limits are printed as floats: 5.36870912e+09.
		i := strings.LastIndexByte(head, ' ') + 1
		if f, err := strconv.ParseFloat(head[i:]+"e+"+number, 64); err == nil {
			message = head[:i] + strconv.FormatFloat(f, 'f', -1, 64)
		}
	}
	const longest = 300
	return FieldError{Location: shorten(location, longest), Message: shorten(message, longest)}
}

func between(s, before, after string) (string, bool) {
	s, ok := strings.CutPrefix(s, before)
	if !ok {
		return "", false
	}
	return strings.CutSuffix(s, after)
}

// requestTimeout is how long an operation may take in Redis and storage.
const requestTimeout = 20 * time.Second
