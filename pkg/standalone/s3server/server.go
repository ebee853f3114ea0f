package s3server

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/rclone/gofakes3"
	"github.com/rs/zerolog"
)

const (
	// A multipart upload that nobody has touched for abandonAfter is dropped.
	abandonAfter = 24 * time.Hour
	abandonEvery = time.Hour
)

// Options configure a server.
type Options struct {
	AccessKey string
	Addr      string           // host:port; port 0 takes a free one
	Buckets   []string         // created when missing
	Clock     func() time.Time // default time.Now
	Dir       string           // created when missing; its parent must exist
	Log       zerolog.Logger
	SecretKey string
}

// Store is an object store on disk with its HTTP handler, not listening.
type Store struct {
	http.Handler
	store *store
	api   *gofakes3.GoFakeS3
}

// Open opens or creates the store in o.Dir. One Store at a time may have it.
func Open(o Options) (*Store, error) {
	if o.AccessKey == "" || o.SecretKey == "" {
		return nil, errors.New("opening an object store: access key and secret key are needed")
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	s, err := openStore(o.Dir, o.Log, o.Clock)
	if err != nil {
		return nil, err
	}
	for _, b := range o.Buckets {
		if s.hasBucket(b) {
			continue
		}
		if err := s.CreateBucket(context.Background(), b); err != nil {
			return nil, fmt.Errorf("creating bucket %s: %w", b, err)
		}
	}
	// Times of requests are checked with the signature.
	api := gofakes3.New(s, gofakes3.WithTimeSkewLimit(0))
	return &Store{&front{o.AccessKey, o.SecretKey, api.Server(), o.Log, defaultStall}, s, api}, nil
}

// abandon drops multipart uploads that nobody has touched for a day.
func (s *Store) abandon(ctx context.Context) {
	for id, up := range s.store.uploads.idle(s.store.clock().Add(-abandonAfter)) {
		s.store.log.Info().Str("key", up.key).Msg("dropping a multipart upload that nobody went on with for a day")
		s.store.discard(id)
		_ = s.api.ForgetMultipartUpload(ctx, up.bucket, up.key, id)
	}
}

// Server is a Store that listens.
type Server struct {
	Endpoint string // http://host:port

	http *http.Server
	done chan struct{} // closed when serving has ended
	stop context.CancelFunc
	wg   sync.WaitGroup
	err  error
}

// Start opens the store in o.Dir and serves it until Stop. ctx bounds only the
// start.
func Start(ctx context.Context, o Options) (*Server, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", o.Addr)
	if err != nil {
		return nil, fmt.Errorf("starting the S3 server: %w", err)
	}
	store, err := Open(o)
	if err != nil {
		_ = l.Close()
		return nil, err
	}
	background, cancel := context.WithCancel(context.Background())
	s := &Server{
		Endpoint: "http://" + l.Addr().String(),
		http: &http.Server{
			Handler:           store,
			ReadHeaderTimeout: 30 * time.Second,
			IdleTimeout:       2 * time.Minute,
			ErrorLog:          log.New(o.Log.With().Str("level", "warn").Logger(), "", 0),
		},
		done: make(chan struct{}),
		stop: cancel,
	}
	s.wg.Go(func() {
		defer close(s.done)
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.err = fmt.Errorf("serving S3 on %s: %w", s.Endpoint, err)
		}
	})
	s.wg.Go(func() { janitor(background, store) })
	return s, nil
}

func janitor(ctx context.Context, store *Store) {
	tick := time.NewTicker(abandonEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			store.abandon(ctx)
		}
	}
}

// Done is closed when the server no longer serves, after Stop or a failure.
func (s *Server) Done() <-chan struct{} { return s.done }

// Err says why serving ended by itself; nil after Stop. Call it after Done.
func (s *Server) Err() error {
	<-s.done
	return s.err
}

// Stop lets requests in hand finish until ctx ends, then breaks them. It may
// be called more than once.
func (s *Server) Stop(ctx context.Context) error {
	s.stop()
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("stopping the S3 server: %w", err), s.http.Close())
	}
	s.wg.Wait()
	return err
}
