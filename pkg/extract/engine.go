package extract

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/docsvc/docsvc/pkg/extract/cage"
	"github.com/docsvc/docsvc/pkg/extract/ocr"
)

// OCROptions configure text recognition. Zero values take the defaults named.
type OCROptions struct {
	// Languages that are looked for, as tesseract calls them ({"eng"}).
	Languages []string
	// Off leaves it: documents that need it fail.
	Off bool
	// PageTimeout bounds the recognition of one page (60 s).
	PageTimeout time.Duration
	// Program is tesseract, looked up on PATH unless it is a path ("tesseract").
	Program string
	// Timeout bounds the recognition of one document (15 min). Pages after that are missing.
	Timeout time.Duration
}

func (o OCROptions) withDefaults() OCROptions {
	if len(o.Languages) == 0 {
		o.Languages = []string{"eng"}
	}
	o.PageTimeout = cmp.Or(o.PageTimeout, time.Minute)
	o.Program = cmp.Or(o.Program, "tesseract")
	o.Timeout = cmp.Or(o.Timeout, 15*time.Minute)
	return o
}

// Bounds on asking a tesseract what it is.
const (
	askTimeout = time.Minute
	maxAnswer  = 256 << 10
)

// engines remembers the tesseract that was found, by its file.
type engines struct {
	mu    sync.Mutex
	file  string // path, size and time of change
	found *ocr.Engine
}

// noEngineError says why there is no recognition, and what to do, in sentences.
type noEngineError struct{ why string }

func (e *noEngineError) Error() string { return e.why }

// OCREngine finds tesseract and asks it for its version and languages. The
// error is sentences for people, or ctx's cause.
func (p *Pool) OCREngine(ctx context.Context) (*ocr.Engine, error) {
	if p.o.OCR.Off {
		return nil, &noEngineError{"It is switched off where documents are processed (extract.ocr)."}
	}
	path, err := findProgram(p.o.OCR.Program)
	if err != nil {
		return nil, &noEngineError{fmt.Sprintf("The worker has no tesseract, which does that (%v). Install it there (package tesseract-ocr), then process the document again.", err)}
	}
	p.engines.mu.Lock()
	defer p.engines.mu.Unlock()
	file := fileState(path)
	if p.engines.found != nil && p.engines.file == file {
		return p.engines.found, nil
	}
	e := &ocr.Engine{Path: path}
	if err := p.ask(ctx, e); err != nil {
		if ctx.Err() != nil || errors.Is(err, ErrClosed) {
			return nil, err
		}
		return nil, &noEngineError{fmt.Sprintf("The worker's tesseract does not work: %v. See docsvc config check there.", err)}
	}
	p.engines.file, p.engines.found = file, e
	return e, nil
}

func (p *Pool) ask(ctx context.Context, e *ocr.Engine) error {
	answer, err := p.run(ctx, p.tesseract(e, nil, ocr.VersionArguments(), askTimeout, maxAnswer))
	if err != nil {
		return err
	}
	if e.Version, err = ocr.ReadVersion(answer); err != nil {
		return err
	}
	if answer, err = p.run(ctx, p.tesseract(e, nil, ocr.LanguageArguments(), askTimeout, maxAnswer)); err != nil {
		return err
	}
	e.Languages = ocr.ReadLanguages(answer)
	return nil
}

// engine is the tesseract to use and the languages that it has of those wanted.
func (p *Pool) engine(ctx context.Context) (e *ocr.Engine, languages, missing []string, err error) {
	if e, err = p.OCREngine(ctx); err != nil {
		return nil, nil, nil, err
	}
	missing = e.Missing(p.o.OCR.Languages)
	for _, l := range p.o.OCR.Languages {
		if !slices.Contains(missing, l) {
			languages = append(languages, l)
		}
	}
	if len(languages) == 0 {
		return nil, nil, nil, &noEngineError{fmt.Sprintf("The worker's tesseract has no data for %s (extract.ocr_languages). Install it there (%s), then process the document again.",
			strings.Join(missing, ", "), Packages(missing))}
	}
	return e, languages, missing, nil
}

// Packages names what a distribution calls the data of languages.
func Packages(languages []string) string {
	var names []string
	for _, l := range languages {
		names = append(names, "tesseract-ocr-"+strings.NewReplacer("_", "-", "script/", "script-").Replace(strings.ToLower(l)))
	}
	return "package " + strings.Join(names, ", ")
}

// tesseract is one run of it.
func (p *Pool) tesseract(e *ocr.Engine, stdin *bitmap, args []string, timeout time.Duration, most int) programRun {
	env, trees := ocr.Environment(), []string{}
	for _, name := range []string{"PATH", "LD_LIBRARY_PATH", "TESSDATA_PREFIX"} {
		value, ok := os.LookupEnv(name)
		if !ok {
			continue
		}
		env = append(env, name+"="+value)
		if name != "PATH" {
			trees = append(trees, filepath.SplitList(value)...)
		}
	}
	r := programRun{most: most, timeout: timeout, program: cage.Program{
		Path: e.Path, Args: args, Env: env, Trees: cage.Trees(e.Path, trees...),
		Memory: p.o.MemoryLimit, CPU: timeout + time.Second,
	}}
	if stdin != nil {
		r.stdin = stdin.reader()
	}
	return r
}

func findProgram(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		var notFound *exec.Error
		if errors.As(err, &notFound) && errors.Is(err, exec.ErrNotFound) {
			return "", fmt.Errorf("%s is not on its PATH", name)
		}
		return "", err
	}
	return filepath.Abs(path)
}

// fileState changes when a file is replaced.
func fileState(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return path
	}
	return fmt.Sprintf("%s %d %d", path, info.Size(), info.ModTime().UnixNano())
}
