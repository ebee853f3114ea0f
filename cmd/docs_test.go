package cmd

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Every docsvc command line in the documentation, the shipped configuration
// and the Makefile names a command that exists, with flags that it has.
func TestDocumentedCommandsExist(t *testing.T) {
	t.Parallel()
	files := []string{"../README.md", "../Makefile", "../scripts/dev.sh"}
	for _, pattern := range []string{"../docs/*.md", "../configs/*", "../configs/*/*"} {
		more, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, more...)
	}
	// docsvc, bin/docsvc, /usr/local/bin/docsvc, $(BIN) and $bin at the start of a command.
	line := regexp.MustCompile(`(?m)(?:^|[\s"'\x60=(>])(?:(?:[./\w]*/)?docsvc|"?\./\$\(?(?:BIN|bin)\)?"?) +((?:serve|worker|queue|cleanup|config|version|completion|ingest|extract|documents)\b[^\n\x60"')|;&>#]*)`)
	seen := 0
	for _, name := range files {
		info, err := os.Stat(name)
		if err != nil || info.IsDir() {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range line.FindAllStringSubmatch(string(text), -1) {
			seen++
			if problem := wrongCommand(m[1]); problem != "" {
				t.Errorf("%s: docsvc %s: %s", name, strings.TrimSpace(m[1]), problem)
			}
		}
	}
	if seen < 20 {
		t.Errorf("found only %d command lines; the pattern no longer matches how they are written", seen)
	}
}

func wrongCommand(text string) string {
	a := &app{stdout: io.Discard, stderr: io.Discard, lookupEnv: func(string) (string, bool) { return "", false }}
	root := a.root()
	root.InitDefaultCompletionCmd("completion")
	words := strings.Fields(strings.ReplaceAll(text, "\\", " "))
	c, rest, err := root.Find(words)
	if err != nil {
		return err.Error()
	}
	if c == root || (c.HasSubCommands() && len(rest) > 0 && !strings.HasPrefix(rest[0], "-") && !alternatives(c, rest[0])) {
		return "no such command"
	}
	for _, w := range rest {
		name, _, _ := strings.Cut(strings.TrimRight(w, ".,:]"), "=")
		name = strings.TrimLeft(name, "[")
		if flag, ok := strings.CutPrefix(name, "--"); ok && flag != "help" && !hasFlag(c, flag) {
			return "no flag " + name
		}
	}
	return ""
}

// alternatives reports whether word is a list of c's subcommands: info|health.
func alternatives(c *cobra.Command, word string) bool {
	for _, one := range strings.Split(word, "|") {
		if sub, _, err := c.Find([]string{one}); err != nil || sub == c {
			return false
		}
	}
	return true
}

func hasFlag(c *cobra.Command, name string) bool {
	return c.Flags().Lookup(name) != nil || c.InheritedFlags().Lookup(name) != nil
}

// The guide's make targets are there, and the README stays short.
func TestMakefileAndReadme(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range strings.Fields("dev worker worker-all worker-cleanup worker-verbose queue-info queue-health cleanup-s3 cleanup-orphaned cleanup-daily demo test lint build") {
		if !regexp.MustCompile(`(?m)^` + target + `:`).Match(text) {
			t.Errorf("Makefile has no target %s", target)
		}
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(readme), "\n"); n > 120 {
		t.Errorf("README.md has %d lines, at most 120 are wanted", n)
	}
	for _, command := range []string{"make demo", "make test"} {
		if !strings.Contains(string(readme), command) {
			t.Errorf("README.md does not name %q", command)
		}
	}
	for _, link := range regexp.MustCompile(`\]\(([^)#]+)\)`).FindAllStringSubmatch(string(readme), -1) {
		if strings.Contains(link[1], "://") {
			continue
		}
		if _, err := os.Stat(filepath.Join("..", link[1])); err != nil {
			t.Errorf("README.md links to %s, which is missing", link[1])
		}
	}
}
