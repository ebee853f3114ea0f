package httpapi

import (
	"context"
	"errors"
	"fmt"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/objstore"
	"github.com/docsvc/docsvc/pkg/rq"
)

// problemOf is the one place where an error becomes an answer. Whatever it
// doesn't know is internal: its text goes to the log only.
func problemOf(err error) *Problem {
	var p *Problem
	var doc *document.Error
	var state *rq.StateError
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &doc):
		return documentProblem(doc)
	case errors.As(err, &state):
		return stateProblem(state)
	case errors.Is(err, objstore.ErrUnavailable):
		p = newProblem("storage_unavailable", "The storage can't be reached at the moment. Nothing was changed; try again.")
	case rq.IsUnavailable(err):
		detail := "Redis can't be reached or takes nothing in at the moment. Nothing was changed; try again."
		if rq.IsFull(err) {
			detail = "Redis' memory is full. Nothing was changed; try again when its operator has made room."
		}
		p = newProblem("queue_unavailable", detail)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		p = newProblem("timed_out", "Redis or storage took too long to answer. Try again.")
	default:
		p = internalProblem("")
	}
	p.cause = err
	return p
}

// internalProblem tells nothing but where to look. The id is filled in by
// whoever writes the answer.
func internalProblem(id string) *Problem {
	p := newProblem("internal_error", "Something went wrong inside the server. Its log has the reason under this request_id.")
	p.RequestID = id
	return p
}

// documentProblem keeps the words of package document, which are made for
// people, but for internal ones it doesn't know.
func documentProblem(e *document.Error) *Problem {
	code := e.Code
	if code == document.CodeInvalid {
		code = "invalid_request"
	}
	if _, ok := errorCodes[code]; !ok {
		p := internalProblem("")
		p.cause = fmt.Errorf("error code %s is not in the table: %w", code, e)
		return p
	}
	p := newProblem(code, e.Detail)
	p.State = string(e.State)
	p.cause = e.Err
	if e.Kind == document.Internal && p.cause == nil {
		p.cause = e
	}
	if e.Field != "" {
		p.Errors = []FieldError{{Location: "body." + e.Field, Message: e.Detail}}
	}
	return p
}

func stateProblem(e *rq.StateError) *Problem {
	op := map[string]string{"requeue": "retried", "cancel": "canceled"}[e.Op]
	if op == "" {
		op = "changed"
	}
	p := newProblem("job_state", fmt.Sprintf("Job %s can't be %s: it is %s.", e.ID, op, e.Status))
	p.State = string(e.Status)
	return p
}
