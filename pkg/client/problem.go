package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Problem is an error that the API answered.
type Problem struct {
	Status    int          `json:"status"`
	Code      string       `json:"code"`   // for programs; "" when it was not docsvc that answered
	Title     string       `json:"title"`  // the code in words
	Detail    string       `json:"detail"` // what happened and what to do, for people
	State     string       `json:"state"`  // the state that stood in the way
	RequestID string       `json:"request_id"`
	Errors    []FieldError `json:"errors"`

	retryAfter time.Duration
}

// FieldError is one field that was refused.
type FieldError struct {
	Location string `json:"location"`
	Message  string `json:"message"`
}

func (p *Problem) Error() string {
	text := p.Detail
	if text == "" {
		text = p.Title
	}
	// Of a field that the sentence doesn't speak about.
	for _, e := range p.Errors {
		if e.Message != "" && e.Message != p.Detail && !strings.Contains(text, e.Message) {
			text += fmt.Sprintf(" %s: %s.", e.Location, strings.TrimRight(e.Message, "."))
		}
	}
	if p.Status >= 500 && p.RequestID != "" {
		text += " (request " + p.RequestID + ")"
	}
	return text
}

// readProblem makes a Problem of an answer that is none of the expected.
func readProblem(r *http.Response) error {
	p := &Problem{retryAfter: retryAfter(r.Header)}
	text, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
	if err != nil {
		return &lostError{err}
	}
	if json.Unmarshal(text, p) != nil || p.Code == "" {
		*p = Problem{Title: r.Status, retryAfter: p.retryAfter,
			Detail: fmt.Sprintf("%s answered %s, which is not docsvc's answer: check the address.", r.Request.URL.Host, r.Status)}
	}
	p.Status = r.StatusCode
	return p
}

// HasCode reports whether err is a Problem with one of these codes.
func HasCode(err error, codes ...string) bool {
	var p *Problem
	return errors.As(err, &p) && slices.Contains(codes, p.Code)
}

// IsNotFound reports whether err is the answer that there is no such thing.
func IsNotFound(err error) bool {
	var p *Problem
	return errors.As(err, &p) && p.Status == http.StatusNotFound && p.Code != ""
}

// UnreachableError says that a server did not answer at all.
type UnreachableError struct {
	Server string // whom; "the storage at HOST" for uploads
	Tried  time.Duration
	Err    error
}

func (e *UnreachableError) Error() string {
	text := "no answer from " + e.Server
	if e.Tried >= time.Second {
		text += fmt.Sprintf(" for %s", e.Tried.Round(time.Second))
	}
	return text + ": " + e.Err.Error()
}

func (e *UnreachableError) Unwrap() error { return e.Err }
