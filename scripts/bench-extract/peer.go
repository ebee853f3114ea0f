package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

//go:embed mail.py
var mailProgram string

// program is another extractor, started once per file.
type program struct {
	title   string
	binary  string
	formats []string
	// extract reads one file; dir is empty, and emptied afterwards.
	extract func(ctx context.Context, p *program, path, dir string) (string, error)
	timeout time.Duration
	temp    string
	watch   *watch
}

// errNoText is a reader that ended well and gave nothing.
var errNoText = errors.New("no_text")

// installed are the programs that are there.
func installed(timeout time.Duration, temp string) []*program {
	var found []*program
	for _, p := range []*program{
		{title: "pdftotext", binary: "pdftotext", formats: []string{"pdf"}, extract: pdftotext},
		{title: "pandoc", binary: "pandoc", formats: []string{"docx", "odt", "rtf", "html", "epub", "csv"}, extract: pandoc},
		{title: "LibreOffice", binary: "soffice", formats: []string{"docx", "doc", "odt", "rtf", "pptx", "ppt", "odp", "xlsx", "xls", "ods"}, extract: libreOffice},
		{title: "Python's email", binary: "python3", formats: []string{"eml"}, extract: pythonMail},
	} {
		path, err := exec.LookPath(p.binary)
		if err != nil {
			continue
		}
		p.binary, p.timeout, p.temp, p.watch = path, timeout, temp, newWatch()
		found = append(found, p)
	}
	return found
}

func (p *program) name() string { return p.title }

func (p *program) reads(format string) bool { return slices.Contains(p.formats, format) }

func (p *program) peak() int64 { return p.watch.reset() }

func (p *program) close() { p.watch.close() }

func (p *program) read(ctx context.Context, path string) (result, error) {
	dir, err := os.MkdirTemp(p.temp, "peer-")
	if err != nil {
		return result{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path, err = filepath.Abs(path)
	if err != nil {
		return result{}, err
	}
	limited, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	began := time.Now()
	text, err := p.extract(limited, p, path, dir)
	r := result{text: strings.ToValidUTF8(text, "\ufffd"), took: time.Since(began)}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return r, ctx.Err()
	case limited.Err() != nil:
		r.reason = "timeout"
	case errors.Is(err, errTooLarge):
		r.reason = errTooLarge.Error()
	case errors.As(err, &exit):
		r.reason = strings.ReplaceAll(exit.Error(), " ", "_")
	case errors.Is(err, errNoText), err == nil && strings.TrimSpace(r.text) == "":
		r.reason = errNoText.Error()
	case err != nil:
		return r, err
	}
	if r.reason != "" {
		r.text = ""
	}
	return r, nil
}

// maxText is how many bytes of text are taken from a peer: LibreOffice makes
// gigabytes of a small workbook in which every cell names one long string.
const maxText = 64 << 20

var errTooLarge = errors.New("too_large")

// boundedText takes maxText bytes; more is an error, which ends the program.
type boundedText struct {
	strings.Builder
	full bool
}

func (b *boundedText) Write(p []byte) (int, error) {
	if b.full = b.Len()+len(p) > maxText; b.full {
		return 0, errTooLarge
	}
	return b.Builder.Write(p)
}

// addFile adds a file's text and a line end.
func (b *boundedText) addFile(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if _, err := io.Copy(b, f); err != nil {
		return err
	}
	_, err = b.Write([]byte{'\n'})
	return err
}

// output runs a program to its end, with all that it started, and returns
// what it printed.
func output(ctx context.Context, name string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, name, args...)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.WaitDelay = 2 * time.Second
	var out boundedText
	c.Stdout = &out
	err := c.Run()
	if out.full {
		return "", errTooLarge
	}
	return out.String(), err
}

func pdftotext(ctx context.Context, p *program, path, _ string) (string, error) {
	return output(ctx, p.binary, "-q", "-enc", "UTF-8", path, "-")
}

func pandoc(ctx context.Context, p *program, path, _ string) (string, error) {
	format := strings.TrimPrefix(strings.ToLower(filepath.Ext(path)), ".")
	if format == "htm" || format == "xhtml" {
		format = "html"
	}
	return output(ctx, p.binary, "--from", format, "--to", "plain", "--wrap=none", path)
}

func pythonMail(ctx context.Context, p *program, path, _ string) (string, error) {
	return output(ctx, p.binary, "-c", mailProgram, path)
}

// libreOffice converts to text; to CSV what has sheets, and what has slides
// to PDF, which pdftotext then reads: there is no text filter for it.
func libreOffice(ctx context.Context, p *program, path, dir string) (string, error) {
	to, ending := "txt:Text (encoded):UTF8", ".txt"
	switch strings.ToLower(filepath.Ext(path)) {
	case ".xlsx", ".xls", ".ods":
		// Comma, quote, UTF-8, from row 1, all sheets.
		to, ending = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,-1", ".csv"
	case ".pptx", ".ppt", ".odp":
		to, ending = "pdf", ".pdf"
	}
	_, err := output(ctx, p.binary, "--headless", "--norestore", "-env:UserInstallation=file://"+filepath.Join(p.temp, "office"),
		"--convert-to", to, "--outdir", dir, path)
	if err != nil {
		return "", err
	}
	made, err := filepath.Glob(filepath.Join(dir, "*"+ending))
	if err != nil || len(made) == 0 {
		return "", errors.Join(err, errNoText)
	}
	if ending == ".pdf" {
		reader, err := exec.LookPath("pdftotext")
		if err != nil {
			return "", fmt.Errorf("reading LibreOffice's PDF: %w", err)
		}
		return output(ctx, reader, "-q", "-enc", "UTF-8", made[0], "-")
	}
	var all boundedText
	for _, name := range made {
		if err := all.addFile(name); err != nil {
			return "", err
		}
	}
	return all.String(), nil
}
