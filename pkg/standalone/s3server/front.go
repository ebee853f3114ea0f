package s3server

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rclone/gofakes3"
	"github.com/rclone/gofakes3/signature"
	"github.com/rs/zerolog"
)

// maxObject is the largest body of one PUT, in bytes, as on S3.
const maxObject = 5 << 30

// front admits requests to gofakes3: it checks the signature, and hands the
// body on decoded and checked against every digest that came with it.
//
// gofakes3 alone does not compare the body with x-amz-content-sha256, does not
// verify the signatures of chunks, ignores trailing checksums and those of
// parts, and stores the framing of signed chunks with a trailer as content.
type front struct {
	accessKey string
	secretKey string
	next      http.Handler
	log       zerolog.Logger
	stall     time.Duration
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// net/http sends no 100 Continue where the body is empty, and botocore
	// (AWS CLI 1.45) takes the next answer on that connection for something
	// else then: it hangs for a minute after an empty file.
	if r.ContentLength == 0 && r.Header.Get("Expect") != "" {
		w.WriteHeader(http.StatusContinue)
	}
	// An object is not a page of this origin, whatever type it was given.
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if code := signature.V4SignVerifyWithLookup(r, f.secret); code != signature.ErrNone {
		e := signature.GetAPIError(code)
		f.log.Debug().Str("method", r.Method).Str("path", r.URL.Path).Str("code", e.Code).Msg("refused an S3 request")
		refuse(w, r, e.HTTPStatusCode, e.Code, e.Description)
		return
	}
	if r.ContentLength > maxObject {
		refuse(w, r, http.StatusBadRequest, "EntityTooLarge", "an object sent in one request may have 5 GiB at most; use a multipart upload")
		return
	}
	if err := f.openPayload(w, r); err != nil {
		refuse(w, r, err.ErrorCode().Status(), string(err.ErrorCode()), strings.TrimPrefix(err.Error(), string(err.ErrorCode())+": "))
		return
	}
	// gofakes3 folds a listing of uploads with an empty delimiter, which is what
	// minio-go sends, into one prefix.
	if q := r.URL.Query(); q.Has("uploads") && q.Has("delimiter") && q.Get("delimiter") == "" {
		q.Del("delimiter")
		r.URL.RawQuery = q.Encode()
	}
	f.next.ServeHTTP(w, r)
}

func (f *front) secret(accessKey string) (string, bool) {
	return f.secretKey, accessKey == f.accessKey
}

// openPayload replaces the request's body by its checked content, and the
// headers that described its framing by plain ones.
func (f *front) openPayload(w http.ResponseWriter, r *http.Request) gofakes3.Error {
	p, err := newPayload(w, r, f.secretKey, f.stall)
	if err != nil {
		return err
	}
	r.Body = p
	if p.length >= 0 {
		r.ContentLength = p.length
		r.Header.Set("Content-Length", strconv.FormatInt(p.length, 10))
	}
	// The last one only names the kind of checksum; gofakes3 takes it for one.
	for _, h := range []string{"X-Amz-Content-Sha256", "X-Amz-Decoded-Content-Length", "X-Amz-Trailer", "X-Amz-Checksum-Algorithm"} {
		r.Header.Del(h)
	}
	// gofakes3 puts a limit in front of the body that never asks an empty one
	// for its end, where the checks are.
	if p.length == 0 {
		return p.finish()
	}
	return nil
}

// refuse answers an S3 error.
func refuse(w http.ResponseWriter, r *http.Request, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return
	}
	body := signature.EncodeAPIErrorToResponse(signature.APIError{Code: code, Description: message})
	_, _ = w.Write(body)
}

func badRequest(code gofakes3.ErrorCode, format string, args ...any) gofakes3.Error {
	return &gofakes3.ErrorResponse{Code: code, Message: fmt.Sprintf(format, args...)}
}
