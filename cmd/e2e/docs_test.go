package e2e

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/docsvc/docsvc/pkg/redistest"
)

// TestDocumentedCommandsWork runs the docsvc lines of operations.md and of the
// guide in their order, at a server with documents. What ends by itself must
// end well; those that find nothing to do are listed.
func TestDocumentedCommandsWork(t *testing.T) {
	t.Parallel()
	s := newSite(t, redistest.RedisServer)
	s.serve()
	s.start("worker", "--all", "--concurrency", "2")
	s.env = append(s.env, "DOCSVC_SERVER="+s.api, "PATH="+linkTo(t, docsvc(t))+":"+os.Getenv("PATH"))
	sample := func(name string) []byte {
		text, err := os.ReadFile(filepath.Join("../../scripts/demo/samples", name))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	for name, from := range map[string]string{
		"report.pdf": "manual.pdf", "manual.pdf": "manual.pdf", "a.docx": "relatorio.docx",
		"contracts/a.html": "aviso.html", "contratos/a.txt": "ata.txt",
	} {
		path := filepath.Join(s.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, sample(from), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tried := 0
	for _, name := range []string{"operations.md", "guia.md"} {
		id := s.submit(name+".md", "text/markdown", sample("runbook.md"))
		s.reach(id, "completed", "duplicate")
		// A job that has failed, since those are what people look at.
		job := s.reach(s.submit("truncated.pdf", "application/pdf", sample("truncated.pdf")), "failed").JobID
		for _, line := range documentedLines(t, "../../docs/"+name) {
			typed := strings.NewReplacer("DOCUMENT_ID", id, "JOB_ID", job, "s3://docsvc/", "s3://"+s.s3.Bucket+"/").Replace(line)
			typed = regexp.MustCompile(`\bID\b`).ReplaceAllString(typed, map[bool]string{true: job, false: id}[strings.Contains(line, " queue ")])
			if out, err := s.shell(typed); err != nil && !expected(line, err) {
				t.Errorf("%s: %s: %v\n%s", name, line, err, out)
			}
			tried++
		}
	}
	if tried < 40 {
		t.Errorf("found only %d lines; the pattern no longer fits how they are written", tried)
	}
}

// linkTo makes a directory for PATH with docsvc in it.
func linkTo(t *testing.T, binary string) string {
	dir := t.TempDir()
	if err := os.Symlink(binary, filepath.Join(dir, "docsvc")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// documentedLines are the lines of code blocks that call docsvc and end by
// themselves, without what is said beside them.
func documentedLines(t *testing.T, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, block := range regexp.MustCompile("(?ms)^```\\w*\n(.*?)^```").FindAllStringSubmatch(string(text), -1) {
		for _, line := range strings.Split(block[1], "\n") {
			line = strings.TrimSpace(regexp.MustCompile(` {3,}| # `).Split(line, 2)[0])
			if strings.HasPrefix(line, "docsvc ") && !strings.HasSuffix(line, "|") && !regexp.MustCompile(`^docsvc (serve|worker)\b|--restore|--watch`).MatchString(line) {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

// expected tells of a line that rightly ends with a status: no object lies
// where ingest looks, the job is not at work, the document or job was deleted
// by a line before.
func expected(line string, err error) bool {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	switch {
	case strings.Contains(line, "s3://"), strings.Contains(line, "queue cancel"), strings.Contains(line, "queue stop"):
		return exit.ExitCode() == 1
	case strings.Contains(line, "queue fsck"):
		return exit.ExitCode() == 4
	case strings.Contains(line, "queue retry"), strings.Contains(line, "queue delete"), strings.Contains(line, "rebuild --id"):
		return exit.ExitCode() == 1 || exit.ExitCode() == 3
	}
	return false
}

// shell runs a line as somebody types it, where questions are answered.
func (s *site) shell(line string) (string, error) {
	if regexp.MustCompile(`^docsvc (documents delete|queue empty)`).MatchString(line) {
		line += " --yes"
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c := exec.CommandContext(ctx, "sh", "-c", strings.ReplaceAll(line, "| less", "| cat"))
	c.Dir, c.Env = s.dir, s.env
	out, err := c.CombinedOutput()
	return string(out), err
}
