package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"time"

	"github.com/spf13/cobra"

	"github.com/docsvc/docsvc/pkg/config"
	"github.com/docsvc/docsvc/pkg/extract/pdf/code"
)

// warmed is what warm found or made.
type warmed struct {
	Directory string  `json:"directory"`
	Bytes     int64   `json:"bytes"`
	Compiled  bool    `json:"compiled"` // now; false when it was there
	Seconds   float64 `json:"seconds"`
}

func (a *app) warmCommand() *cobra.Command {
	var out output
	c := &cobra.Command{
		Use: "warm", Short: "Compile the PDF engine beforehand, e.g. into an image", Args: noArgs,
		Long: `Compiles PDFium's code into extract.cache_dir, where every parser process finds it;
otherwise the first one that meets a PDF does, for some seconds. It is about
20 MiB, this user's alone (mode 0700), and used only with the contents that were
compiled. Done once it does nothing; after an update of docsvc it compiles anew.

Run it as the user, on the kind of processor and with the cache directory that
the worker will have. It needs no Redis and no storage.`,
		Example: `  docsvc warm
  RUN DOCSVC_EXTRACT_CACHE_DIR=/var/cache/docsvc docsvc warm    # in a Dockerfile`,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(c.Context(), stopSignals()...)
			defer stop()
			w, err := a.warm(ctx)
			if err != nil {
				return err
			}
			return out.print(a.stdout, w, func(to io.Writer) error {
				what := "was compiled before"
				if w.Compiled {
					what = fmt.Sprintf("compiled in %.1f s", w.Seconds)
				}
				_, err := fmt.Fprintf(to, "%s: %.1f MiB, %s\n", w.Directory, float64(w.Bytes)/(1<<20), what)
				return err
			})
		},
	}
	out.add(c)
	return c
}

func (a *app) warm(ctx context.Context) (*warmed, error) {
	// Not loadConfig: it looks for a server.
	cfg, err := config.Load(a.configFile, a.lookupEnv, a.logOverride()...)
	if err != nil {
		return nil, err
	}
	log, err := a.logger(cfg)
	if err != nil {
		return nil, err
	}
	s := &services{config: cfg, log: log}
	pool, err := s.extractPool(1)
	if err != nil {
		return nil, err
	}
	defer func() { _ = pool.Close() }()
	began := time.Now()
	_, missing := code.Verify(s.cacheDir())
	if err := pool.Warm(ctx); err != nil {
		return nil, err
	}
	w := &warmed{Directory: code.Dir(s.cacheDir()), Compiled: missing != nil, Seconds: time.Since(began).Seconds()}
	if _, err := code.Verify(s.cacheDir()); err != nil {
		return nil, &hintError{error: errors.New("the compiled code is not kept: " + err.Error()),
			hint: "extract.cache_dir must be this user's own and writable: docsvc config check"}
	}
	w.Bytes = code.Size(s.cacheDir())
	return w, nil
}
