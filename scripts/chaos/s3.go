package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"

	"github.com/docsvc/docsvc/pkg/standalone/s3server"
)

// objectsAge is how much older objects look than they are, so that the cleanup
// at the end, which spares what is younger than an hour, may look at them.
const objectsAge = 2 * time.Hour

// runS3 is the S3 server as a process of its own: chaos s3 ADDR DIR. While the
// file ill lies beside DIR it is ill.
func runS3(addr, dir string) error {
	store, err := s3server.Open(s3server.Options{
		AccessKey: accessKey, SecretKey: secretKey, Buckets: []string{bucket}, Dir: dir,
		Clock: func() time.Time { return time.Now().Add(-objectsAge) }, Log: zerolog.New(os.Stderr).Level(zerolog.WarnLevel),
	})
	if err != nil {
		return err
	}
	server := http.Server{Addr: addr, Handler: ill{store, filepath.Join(filepath.Dir(dir), "ill")}, ReadHeaderTimeout: 30 * time.Second}
	return fmt.Errorf("the S3 server ended: %w", server.ListenAndServe())
}

// ill is a store of which some requests fail: with an error, in the middle of
// the answer, or after they were done but before that was said.
type ill struct {
	next http.Handler
	flag string
}

func (s ill) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, err := os.Stat(s.flag); err != nil {
		s.next.ServeHTTP(w, r)
		return
	}
	switch rand.IntN(25) {
	case 0:
		w.WriteHeader(http.StatusServiceUnavailable)
	case 1:
		s.next.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	case 2:
		answer := httptest.NewRecorder()
		s.next.ServeHTTP(answer, r)
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes()[:answer.Body.Len()/2])
		panic(http.ErrAbortHandler)
	case 3:
		time.Sleep(time.Duration(rand.IntN(400)) * time.Millisecond)
		s.next.ServeHTTP(w, r)
	default:
		s.next.ServeHTTP(w, r)
	}
}
