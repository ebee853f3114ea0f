package cmd

import (
	"context"

	"github.com/docsvc/docsvc/pkg/extract"
	"github.com/docsvc/docsvc/pkg/extract/ocr"
)

// extractPool makes the pool of parser processes, which run this same program.
func (s *services) extractPool(size int) (*extract.Pool, error) {
	e := s.config.Extract
	languages, err := ocr.ParseLanguages(e.OCRLanguages)
	if err != nil {
		return nil, err
	}
	return extract.NewPool(extract.PoolOptions{
		Args: []string{extractChild}, CacheDir: s.cacheDir(), Log: s.log,
		MaxExpanded: int64(e.MaxExpanded), MaxNesting: e.MaxNesting, MaxOutput: int64(e.MaxText), MaxPages: e.MaxPages,
		MaxParts: e.MaxParts, MaxPixels: e.MaxPixels, MaxRatio: e.MaxRatio, MemoryLimit: int64(e.Memory),
		OCR: extract.OCROptions{Languages: languages, Off: !e.OCR, PageTimeout: e.OCRPageTimeout,
			Program: e.OCRProgram, Timeout: e.OCRTimeout},
		ProgressTimeout: e.ProgressTimeout, RecycleAfter: e.RecycleAfter, Size: size, Timeout: e.Timeout,
	})
}

// warm starts one parser process in the background, so that what has to be
// compiled once isn't waited for by the first document. stop ends that.
func (s *services) warm(pool *extract.Pool) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := pool.Warm(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn().Err(err).Msg("the first parser process did not start; documents will be tried all the same")
		}
	}()
	return func() {
		cancel()
		<-done
	}
}
