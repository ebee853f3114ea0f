package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/rs/zerolog"
)

// Limits on what one connection may take. The time to write has no limit per
// answer but per write, see recorder.
const (
	headerTimeout  = 10 * time.Second // request line and headers
	bodyTimeout    = 15 * time.Second // a body of at most MaxBodyBytes
	writeTimeout   = 30 * time.Second // each write of an answer
	idleTimeout    = 2 * time.Minute  // between requests of a connection
	maxHeaderBytes = 32 << 10
)

type drainKey struct{}

// ServeOptions are what Serve may be told.
type ServeOptions struct {
	// Grace is how long requests in hand may take once ctx has ended; 10 s if 0.
	Grace time.Duration
	// HeaderTimeout bounds request line and headers; 10 s if 0.
	HeaderTimeout time.Duration
	Log           zerolog.Logger
}

// Serve answers on ln until ctx ends, then stops listening, ends waits for
// documents at once, lets other requests finish and returns nil. It returns an
// error when the listener failed, or when requests were cut off after Grace.
// ln is closed in any case.
func Serve(ctx context.Context, ln net.Listener, h http.Handler, o ServeOptions) error {
	draining := make(chan struct{})
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: orDefault(o.HeaderTimeout, headerTimeout),
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		// Not derived from ctx: requests in hand outlive it by Grace.
		BaseContext: func(net.Listener) context.Context {
			return context.WithValue(context.WithoutCancel(ctx), drainKey{}, draining)
		},
		ErrorLog: log.New(o.Log.With().Str("from", "net/http").Logger(), "", 0),
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serving HTTP on %s: %w", ln.Addr(), err)
	case <-ctx.Done():
	}
	close(draining)
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), orDefault(o.Grace, 10*time.Second))
	defer cancel()
	err := srv.Shutdown(grace)
	if err != nil {
		_ = srv.Close()
		err = fmt.Errorf("stopping the HTTP server: requests were cut off: %w", err)
	}
	if serveErr := <-failed; !errors.Is(serveErr, http.ErrServerClosed) {
		err = errors.Join(err, serveErr)
	}
	return err
}

// untilDrained is ctx, ended as well when the server begins to shut down.
func untilDrained(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	draining, ok := ctx.Value(drainKey{}).(chan struct{})
	if !ok {
		return ctx, cancel
	}
	go func() {
		select {
		case <-draining:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

func orDefault(d, def time.Duration) time.Duration {
	if d == 0 {
		return def
	}
	return d
}
