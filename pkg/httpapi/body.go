package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"time"
)

// MaxBodyBytes bounds the body of every request. The largest legal one, with
// each character escaped, has about half of it.
const MaxBodyBytes = 64 << 10

// readBody reads the body before anything else looks at it, within a size and
// a time, and hands it on as JSON that is known to parse. Without a body the
// next handler sees an empty object, so that what is missing gets named.
func readBody(timeout time.Duration, keyless bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			next.ServeHTTP(w, r)
			return
		}
		data, p := body(w, r, timeout)
		if p == nil {
			p = acceptable(r.Header.Get("Content-Type"), data, keyless)
		}
		if p != nil {
			writeProblem(w, p)
			return
		}
		if len(bytes.TrimSpace(data)) == 0 {
			data = []byte("{}")
		}
		r.Body = io.NopCloser(bytes.NewReader(data))
		r.ContentLength = int64(len(data))
		r.Header.Set("Content-Type", "application/json")
		next.ServeHTTP(w, r)
	})
}

// body reads at most MaxBodyBytes within timeout.
func body(w http.ResponseWriter, r *http.Request, timeout time.Duration) ([]byte, *Problem) {
	tooLarge := newProblem("body_too_large",
		fmt.Sprintf("The body is larger than %d bytes. A file doesn't go through this API: PUT it to its upload_url.", MaxBodyBytes))
	control := http.NewResponseController(w)
	if r.ContentLength > MaxBodyBytes {
		discard(control, r.Body)
		return nil, tooLarge
	}
	// The deadline is the connection's. net/http takes it off once a body was read to its end; without
	// a body it would stand and end the request itself.
	if control.SetReadDeadline(time.Now().Add(timeout)) == nil {
		defer func() { _ = control.SetReadDeadline(time.Time{}) }()
	}
	data, err := io.ReadAll(io.LimitReader(r.Body, MaxBodyBytes+1))
	var netErr net.Error
	switch {
	case err == nil && len(data) > MaxBodyBytes:
		discard(control, r.Body)
		return nil, tooLarge
	case err == nil:
		return data, nil
	case errors.As(err, &netErr) && netErr.Timeout():
		w.Header().Set("Connection", "close")
		return nil, newProblem("request_timeout",
			fmt.Sprintf("The body did not arrive within %s. Send the request again.", timeout))
	}
	w.Header().Set("Connection", "close")
	return nil, newProblem("unreadable_body", "The body ended early or is wrongly framed. Send the request again.")
}

// discard reads what a client still sends of a body that is refused, for a
// second and a megabyte at most. A connection that is closed on unread bytes is
// reset, and the client never sees why.
func discard(control *http.ResponseController, rest io.Reader) {
	if control.SetReadDeadline(time.Now().Add(time.Second)) == nil {
		defer func() { _ = control.SetReadDeadline(time.Time{}) }()
	}
	_, _ = io.CopyN(io.Discard, rest, 1<<20)
}

// acceptable checks type and syntax of a body. Without API keys a body has to
// say that it is JSON: a page of another site can send any other type, or
// none, without asking the browser first.
func acceptable(contentType string, data []byte, keyless bool) *Problem {
	if contentType != "" || (keyless && len(data) > 0) {
		media, _, err := mime.ParseMediaType(contentType)
		if err != nil || media != "application/json" {
			return newProblem("unsupported_media_type",
				fmt.Sprintf("The body has the type %q. Send JSON with the header Content-Type: application/json.", contentType))
		}
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil
	}
	var v any
	err := json.Unmarshal(data, &v)
	if err == nil {
		return nil
	}
	message := err.Error()
	var syntax *json.SyntaxError
	var number *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		message = fmt.Sprintf("%s, at byte %d", syntax.Error(), syntax.Offset)
	case errors.As(err, &number):
		message = "a number is too large"
	}
	p := newProblem("invalid_json", "The body is not valid JSON: "+message+".")
	p.Errors = []FieldError{{Location: "body", Message: message}}
	return p
}
