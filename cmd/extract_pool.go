package cmd

import (
	"context"
	"fmt"
	"strings"

	"github.com/docsvc/docsvc/pkg/config"
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

// ocrState says what text recognition has to work with, for people. ok is false
// when documents that need it will fail, or be read without a language asked for.
func ocrState(ctx context.Context, pool *extract.Pool, c config.Config) (state string, ok bool) {
	if !c.Extract.OCR {
		return "off (extract.ocr)", true
	}
	engine, err := pool.OCREngine(ctx)
	if err != nil {
		return err.Error(), false
	}
	wanted, err := ocr.ParseLanguages(c.Extract.OCRLanguages)
	if err != nil {
		return err.Error(), false
	}
	found := fmt.Sprintf("tesseract %s (%s), languages %s", engine.Version, engine.Path, strings.Join(engine.Languages, ", "))
	if missing := engine.Missing(wanted); len(missing) > 0 {
		return fmt.Sprintf("%s; missing of extract.ocr_languages: %s (%s)", found, strings.Join(missing, ", "), extract.Packages(missing)), false
	}
	return found + "; looking for " + strings.Join(wanted, ", "), true
}

// sayOCR logs at a worker's start what will become of scanned documents.
func (s *services) sayOCR(ctx context.Context, pool *extract.Pool) {
	state, ok := ocrState(ctx, pool, *s.config)
	switch {
	case ctx.Err() != nil:
	case ok:
		s.log.Info().Msg("text recognition: " + state)
	default:
		s.log.Info().Msg("text recognition: " + state + " Scanned documents and images fail until then (needs_ocr), others are not concerned; extract.ocr: false refuses images.")
	}
}

// ocrCheck asks tesseract what it is. It is absent where there is none, and
// wrong only when it is there and can't do what is set.
func (s *services) ocrCheck(ctx context.Context) check {
	const name = "text recognition"
	pool, err := s.extractPool(1)
	if err != nil {
		return check{Name: name, Error: err.Error()}
	}
	defer func() { _ = pool.Close() }()
	state, ok := ocrState(ctx, pool, *s.config)
	_, err = pool.OCREngine(ctx)
	switch inForce := ok && s.config.Extract.OCR; {
	case !ok && err == nil:
		return check{Name: name, Error: state}
	default:
		return check{Name: name, OK: true, Note: state, InForce: &inForce}
	}
}

// warm starts one parser process in the background, so that what has to be
// compiled once isn't waited for by the first document. stop ends that.
func (s *services) warm(pool *extract.Pool) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.sayOCR(ctx, pool)
		if err := pool.Warm(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn().Err(err).Msg("the first parser process did not start; documents will be tried all the same")
		}
	}()
	return func() {
		cancel()
		<-done
	}
}
