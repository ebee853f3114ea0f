package httpapi

import (
	"cmp"
	"context"
	"crypto/rand"
	"net/http"
	"regexp"
	"runtime/debug"
	"time"

	"github.com/rs/zerolog"
)

const requestIDHeader = "X-Request-ID"

// A caller's own id is kept only if it is harmless in a log line and a header.
var acceptableRequestID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// recorder notes what was answered, and gives every write a deadline of its
// own: a client may take long over a big answer but must go on reading.
type recorder struct {
	http.ResponseWriter
	control      *http.ResponseController
	writeTimeout time.Duration
	status       int
	bytes        int64
}

func newRecorder(w http.ResponseWriter, writeTimeout time.Duration) *recorder {
	r := &recorder{ResponseWriter: w, control: http.NewResponseController(w), writeTimeout: writeTimeout}
	r.extend() // what net/http itself may write first is 100 Continue
	return r
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && status >= 200 {
		r.status = status
	}
	r.extend()
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	r.extend()
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

// extend fails only on writers without a connection, as in tests.
func (r *recorder) extend() { _ = r.control.SetWriteDeadline(time.Now().Add(r.writeTimeout)) }

// requestID gives each request an id, and a logger that carries it.
func requestID(log zerolog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get(requestIDHeader)
		if !acceptableRequestID.MatchString(id) {
			id = rand.Text()
		}
		w.Header().Set(requestIDHeader, id)
		l := log.With().Str("request_id", id).Logger()
		ctx := context.WithValue(l.WithContext(r.Context()), requestIDKey{}, id)
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

type requestIDKey struct{}

// requestIDOf is the id of the request that ctx belongs to.
func requestIDOf(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// accessLog writes one line per request. The query is left out: a presigned
// or copied URL may carry what doesn't belong in a log.
func accessLog(clock func() time.Time, writeTimeout time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := clock()
		rec := newRecorder(w, writeTimeout)
		defer func() {
			status := cmp.Or(rec.status, http.StatusOK)
			zerolog.Ctx(r.Context()).WithLevel(accessLevel(r, status)).
				Str("method", r.Method).Str("path", r.URL.Path).Int("status", status).
				Int64("bytes", rec.bytes).Dur("ms", clock().Sub(start)).Str("remote", r.RemoteAddr).
				Msg("request")
		}()
		next.ServeHTTP(rec, r)
	})
}

// accessLevel keeps probes, which come every few seconds, out of the way.
func accessLevel(r *http.Request, status int) zerolog.Level {
	switch {
	case status >= http.StatusInternalServerError:
		return zerolog.WarnLevel
	case r.URL.Path == "/livez" || r.URL.Path == "/readyz":
		return zerolog.DebugLevel
	}
	return zerolog.InfoLevel
}

// recovery turns a panic into a 500 and a stack in the log.
func recovery(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			zerolog.Ctx(r.Context()).Error().Interface("panic", v).Bytes("stack", debug.Stack()).
				Str("method", r.Method).Str("path", r.URL.Path).Msg("handler panicked")
			if rec, ok := w.(*recorder); ok && rec.status != 0 {
				panic(http.ErrAbortHandler) // half an answer is out: only a cut connection tells the client
			}
			writeProblem(w, internalProblem(w.Header().Get(requestIDHeader)))
		}()
		next.ServeHTTP(w, r)
	})
}
