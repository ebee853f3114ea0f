package objstore

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/minio/minio-go/v7"
)

// What an error of a Store is, for errors.Is.
var (
	// ErrNotFound: there is no such object (or version of it).
	ErrNotFound = errors.New("object not found")
	// ErrChanged: the object is no longer the one that was asked for by ETag.
	ErrChanged = errors.New("object was changed")
	// ErrUnavailable: the store can't be reached, is overloaded or its bucket
	// is missing. Trying again later may succeed.
	ErrUnavailable = errors.New("storage unavailable")
	// ErrDenied: the store refuses these credentials. It is also an
	// ErrUnavailable: somebody must change the configuration, and until then
	// nothing is lost.
	ErrDenied = errors.New("storage refuses access")
)

// Error is what every call of a Store returns. Its text names the operation,
// the key and the store's own code and message.
type Error struct {
	Op   string // put, get, stat, copy, delete, list, presign, ping
	Key  string // relative to the prefix; may be empty
	Code string // the store's code such as AccessDenied; empty without an answer
	HTTP int    // status of the answer; 0 without one
	Kind error  // one of the Err values above, or nil
	Err  error  // the cause
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("storage: ")
	b.WriteString(e.Op)
	if e.Key != "" {
		fmt.Fprintf(&b, " %q", e.Key)
	}
	if e.Kind != nil {
		fmt.Fprintf(&b, ": %v", e.Kind)
	}
	if e.Code != "" {
		fmt.Fprintf(&b, " (%s)", e.Code)
	}
	if e.Err != nil && e.Kind != ErrNotFound {
		fmt.Fprintf(&b, ": %s", cut(e.Err.Error(), maxErrorText))
	}
	return b.String()
}

// Unwrap lets errors.Is find the kind as well as the cause.
func (e *Error) Unwrap() []error {
	var list []error
	if e.Kind != nil {
		list = append(list, e.Kind)
	}
	if e.Kind == ErrDenied {
		list = append(list, ErrUnavailable)
	}
	if e.Err != nil {
		list = append(list, e.Err)
	}
	return list
}

// maxErrorText bounds how much of a store's own words goes into an error, in bytes.
const maxErrorText = 300

func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "..."
}

// wrap makes an *Error of what minio-go returned.
func wrap(ctx context.Context, op, key string, err error) error {
	if err == nil {
		return nil
	}
	var own *Error
	if errors.As(err, &own) {
		return err
	}
	e := &Error{Op: op, Key: key, Err: err}
	if errors.Is(ctx.Err(), context.Canceled) {
		e.Err = ctx.Err() // the caller gave up: says nothing about the store
		return e
	}
	var answer minio.ErrorResponse
	if !errors.As(err, &answer) {
		// No answer: refused, reset, timed out, cut short.
		e.Kind = ErrUnavailable
		return e
	}
	e.Code, e.HTTP = answer.Code, answer.StatusCode
	e.Kind = kind(answer)
	return e
}

// IsNoBucket reports whether err says that the bucket does not exist.
func IsNoBucket(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == minio.NoSuchBucket
}

// wrap names the bucket where it is that which is missing: stores don't.
func (s *Store) wrap(ctx context.Context, op, key string, err error) error {
	err = wrap(ctx, op, key, err)
	if IsNoBucket(err) {
		return s.noBucket(op, key)
	}
	return err
}

func kind(r minio.ErrorResponse) error {
	switch r.Code {
	case minio.NoSuchKey, minio.NoSuchVersion:
		return ErrNotFound
	case minio.NoSuchBucket:
		return ErrUnavailable
	case minio.PreconditionFailed:
		return ErrChanged
	case "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "RequestTimeTooSkewed",
		"ExpiredToken", "InvalidToken", "AuthorizationHeaderMalformed", "AccountProblem":
		return ErrDenied
	}
	if strings.Contains(r.Message, "anonymous credentials") {
		return ErrDenied // minio-go found no credentials to sign with
	}
	switch s := r.StatusCode; {
	case s == http.StatusNotFound:
		return ErrNotFound
	case s == http.StatusPreconditionFailed:
		return ErrChanged
	case s == http.StatusForbidden, s == http.StatusUnauthorized:
		return ErrDenied
	case s >= 500, s == http.StatusTooManyRequests, s == http.StatusRequestTimeout, s == 499:
		return ErrUnavailable
	}
	return nil
}
