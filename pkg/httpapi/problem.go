package httpapi

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// Problem is the body of every error answer, as in RFC 9457.
type Problem struct {
	Type      string       `json:"type" doc:"Where the code is explained" example:"/docs#error-upload_missing"`
	Title     string       `json:"title" doc:"The code in words; the same for every occurrence" example:"The upload has not arrived"`
	Status    int          `json:"status" doc:"HTTP status" example:"409"`
	Detail    string       `json:"detail" doc:"What happened here and what to do next, for people"`
	Code      string       `json:"code" doc:"Stable name of the error, for programs" example:"upload_missing"`
	State     string       `json:"state,omitempty" doc:"The state that stood in the way, with 409" example:"finished"`
	RequestID string       `json:"request_id" doc:"Also in the X-Request-ID header and in the server's log"`
	Errors    []FieldError `json:"errors,omitempty" doc:"With 422: each field that was refused"`

	retryAfter time.Duration
	cause      error // logged, never shown
}

// FieldError says what is wrong with one field of a request.
type FieldError struct {
	Location string `json:"location" doc:"Which field, from where" example:"body.file_size"`
	Message  string `json:"message" doc:"What is wrong with it" example:"expected number >= 1"`
}

func (p *Problem) Error() string { return p.Code + ": " + p.Detail }

// Unwrap gives the error that the answer hides.
func (p *Problem) Unwrap() error { return p.cause }

// GetStatus and ContentType are what huma asks an error for.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType is application/problem+json, whatever was negotiated.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// newProblem makes a Problem of a known code. It panics on an unknown one:
// every code has to stand in the table that the documentation is made from.
func newProblem(code, detail string) *Problem {
	e, ok := errorCodes[code]
	if !ok {
		panic("httpapi: error code " + code + " is not in the table")
	}
	return &Problem{
		Type: "/docs#error-" + code, Title: e.Title, Status: e.Status, Detail: detail, Code: code,
		retryAfter: e.RetryAfter,
	}
}

// writeProblem answers with p, before an operation was reached. The request id is taken from the answer's own
// header, where requestID put it.
func writeProblem(w http.ResponseWriter, p *Problem) {
	p.RequestID = w.Header().Get(requestIDHeader)
	h := w.Header()
	h.Set("Content-Type", p.ContentType(""))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(p) // the client has gone away; the access log has the status
}

// seconds rounds up, so that nobody comes back too early.
func seconds(d time.Duration) string {
	return strconv.Itoa(int((d + time.Second - 1) / time.Second))
}
