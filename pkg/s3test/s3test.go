// Package s3test gives tests an S3 server of their own: empty, on a free port
// of this machine, with request signatures checked as a real one does, and
// with faults on demand. Nothing is shared between tests.
package s3test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/docsvc/docsvc/pkg/objstore"
	"github.com/docsvc/docsvc/pkg/porttest"
)

// Server is a running S3 server with one empty bucket.
type Server struct {
	Endpoint  string // http://127.0.0.1:port, path-style addressing
	AccessKey string
	SecretKey string
	Bucket    string
	Region    string

	handler http.Handler

	mu   sync.Mutex
	fail func(*http.Request) *Fault
	http *httptest.Server
}

// Start runs a server until the test ends. The bucket exists.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{AccessKey: "test-access-key", SecretKey: "test-secret-key", Bucket: "docsvc-test", Region: "us-east-1"}
	store, err := newStore(t, s.AccessKey, s.SecretKey, s.Bucket)
	if err != nil {
		t.Fatalf("starting the test S3 server: %v", err)
	}
	s.handler = faults{server: s, next: store}
	l, err := net.Listen("tcp", porttest.Addr(t)) // a port that nobody is given between Stop and Restart
	if err != nil {
		l, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		t.Fatalf("starting the test S3 server: %v", err)
	}
	s.Endpoint = "http://" + l.Addr().String()
	s.serve(l)
	t.Cleanup(s.Stop)
	return s
}

// Client returns a client for the server. It retries as minio-go does by
// default.
func (s *Server) Client(t testing.TB) *minio.Client {
	t.Helper()
	c, err := minio.New(strings.TrimPrefix(s.Endpoint, "http://"), &minio.Options{
		Creds:        credentials.NewStaticV4(s.AccessKey, s.SecretKey, ""),
		Region:       s.Region,
		BucketLookup: minio.BucketLookupPath,
		Transport:    s.Transport(t),
	})
	if err != nil {
		t.Fatalf("making an S3 client: %v", err)
	}
	return c
}

// StoreConfig returns what objstore.Open needs to reach the server; callers
// change what they test.
func (s *Server) StoreConfig(t testing.TB) objstore.Config {
	t.Helper()
	return objstore.Config{Bucket: s.Bucket, Credentials: credentials.NewStaticV4(s.AccessKey, s.SecretKey, ""), Endpoint: s.Endpoint,
		PathStyle: true, Region: s.Region, Transport: s.Transport(t)}
}

// Transport returns a transport whose idle connections are closed when the
// test ends, so that no goroutine outlives it.
func (s *Server) Transport(t testing.TB) *http.Transport {
	t.Helper()
	tr := http.DefaultTransport.(*http.Transport).Clone()
	tr.Proxy = nil
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

// Stop makes the server refuse connections and breaks those that are open.
// What is stored stays.
func (s *Server) Stop() {
	s.mu.Lock()
	srv := s.http
	s.http = nil
	s.mu.Unlock()
	if srv != nil {
		srv.CloseClientConnections()
		srv.Close()
	}
}

// Restart serves again, on the same address and with the same objects, after
// Stop.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	l, err := net.Listen("tcp", strings.TrimPrefix(s.Endpoint, "http://"))
	if err != nil {
		t.Fatalf("restarting the test S3 server: %v", err)
	}
	s.serve(l)
}

func (s *Server) serve(l net.Listener) {
	srv := httptest.NewUnstartedServer(s.handler)
	_ = srv.Listener.Close()
	srv.Listener = l
	srv.Start()
	s.mu.Lock()
	s.http = srv
	s.mu.Unlock()
}
