package cmd

import (
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/docsvc/docsvc/pkg/config"
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
	text, _, _ = strings.Cut(text, ", ")
	words := strings.Fields(strings.ReplaceAll(text, "\\", " "))
	for i, w := range words { // the end of a sentence
		words[i] = w[:1] + strings.TrimRight(w[1:], ".,:")
	}
	c, rest, err := root.Find(words)
	if err != nil {
		return err.Error()
	}
	if c == root || (c.HasSubCommands() && len(rest) > 0 && !strings.HasPrefix(strings.TrimLeft(rest[0], "["), "-") && rest[0] != "[flags]" && !alternatives(c, rest[0])) {
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
}

// documents are the README and the files of docs, by path.
func documents(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../docs/*.md")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d documents, %v", len(files), err)
	}
	texts := map[string]string{}
	for _, name := range append(files, "../README.md") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = string(text)
	}
	return texts
}

// Every link between the documents leads somewhere, down to the heading.
func TestDocumentLinks(t *testing.T) {
	t.Parallel()
	texts := documents(t)
	for name, text := range texts {
		for _, m := range regexp.MustCompile(`\]\(([^)\s]*)\)`).FindAllStringSubmatch(text, -1) {
			path, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(m[1], "://") {
				continue
			}
			target := name
			if path != "" {
				target = filepath.Join(filepath.Dir(name), path)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s, which is missing", name, m[1])
			}
			if anchor != "" && !slices.Contains(anchors(texts[target]), anchor) {
				t.Errorf("%s links to %s: %s has no such heading", name, m[1], target)
			}
		}
	}
}

// anchors are what a document's headings can be linked as.
func anchors(text string) []string {
	var list []string
	for _, m := range regexp.MustCompile(`(?m)^#+ +(.*)$`).FindAllStringSubmatch(text, -1) {
		name := regexp.MustCompile(`[^\pL\pN _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		list = append(list, strings.ReplaceAll(name, " ", "-"))
	}
	return list
}

// A setting or variable that a document names is one.
func TestDocumentedSettingsExist(t *testing.T) {
	t.Parallel()
	known, sections := map[string]bool{}, map[string]bool{}
	for _, k := range config.Keys() {
		section, _, _ := strings.Cut(k.Name, ".")
		known[k.Name], known[config.EnvName(k.Name)], sections[section] = true, true, true
		for _, name := range k.Env {
			known[name] = true
		}
	}
	for _, name := range []string{"DOCSVC_SERVER", "DOCSVC_API_KEY"} {
		known[name] = true
	}
	seen := 0
	for name, text := range documents(t) {
		if filepath.Base(name) == "api.md" { // whose fields look like settings
			continue
		}
		for _, m := range regexp.MustCompile("`([a-z]+)\\.([a-z_]+)(?:[:=`])").FindAllStringSubmatch(text, -1) {
			key := m[1] + "." + m[2]
			if !sections[m[1]] || slices.Contains([]string{"md", "go", "yaml", "json", "lua"}, m[2]) {
				continue
			}
			if seen++; !known[key] {
				t.Errorf("%s names the setting %s, which there is not", name, key)
			}
		}
		for _, env := range regexp.MustCompile(`\bDOCSVC_[A-Z_]+\b`).FindAllString(text, -1) {
			if seen++; !known[env] {
				t.Errorf("%s names the variable %s, which is not read", name, env)
			}
		}
	}
	if seen < 100 {
		t.Errorf("found only %d settings; the pattern no longer fits how they are written", seen)
	}
}

// The messages of operations.md's troubleshooting are what users see: each
// stands in the code, between its dots word for word.
func TestTroubleshootingQuotesMessages(t *testing.T) {
	t.Parallel()
	var source strings.Builder
	for _, dir := range []string{".", "../pkg"} {
		err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			// A text that is broken over lines of code is one for who reads it.
			source.WriteString(strings.ReplaceAll(string(text), "\" +\n\t\t\t\"", ""))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "## Troubleshooting")
	rows := regexp.MustCompile(`(?m)^\| (.*?) \| `).FindAllStringSubmatch(table, -1)
	quotes := 0
	for _, row := range rows {
		for _, quote := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[1], -1) {
			for _, part := range regexp.MustCompile(`\.\.\.|\bN\b|"`).Split(quote[1], -1) {
				part = strings.TrimSpace(part)
				if quotes++; part != "" && !strings.Contains(source.String(), part) {
					t.Errorf("operations.md explains the message %q; no code says %q", quote[1], part)
				}
			}
		}
	}
	if quotes < 30 {
		t.Errorf("found only %d quotes", quotes)
	}
}

// The shipped units are right for systemd, and give jobs in hand the time that
// they may take.
func TestServiceUnits(t *testing.T) {
	t.Parallel()
	units, err := filepath.Glob("../configs/systemd/*.service")
	if err != nil || len(units) == 0 {
		t.Fatalf("no units: %v", err)
	}
	dir := t.TempDir()
	var copies []string
	for _, unit := range units {
		text, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		// systemd wants the program to be there.
		there := strings.ReplaceAll(string(text), "/usr/local/bin/docsvc", "/bin/sh")
		copies = append(copies, filepath.Join(dir, filepath.Base(unit)))
		if err := os.WriteFile(copies[len(copies)-1], []byte(there), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	longest := config.DefaultQueues()[0].Timeout
	for name, pattern := range map[string]string{"systemd/docsvc-worker@.service": `TimeoutStopSec=(\d+)min`, "supervisor.conf": `(?s)docsvc-worker.*stopwaitsecs=(\d+)`} {
		text, err := os.ReadFile("../configs/" + name)
		if err != nil {
			t.Fatal(err)
		}
		m := regexp.MustCompile(pattern).FindStringSubmatch(string(text))
		unit := map[bool]string{true: "s", false: "m"}[name == "supervisor.conf"]
		if m == nil {
			t.Errorf("%s says nothing of how long a job may take to end", name)
			continue
		}
		if wait, err := time.ParseDuration(m[1] + unit); err != nil || wait <= longest {
			t.Errorf("%s kills a worker after %s, a job may take %s", name, wait, longest)
		}
	}
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("no systemd-analyze here to verify the units with")
	}
	out, err := exec.Command(analyze, append([]string{"verify"}, copies...)...).CombinedOutput()
	t.Logf("systemd-analyze verify: %v\n%s", err, out)
	for line := range strings.Lines(string(out)) { // it also tells of this machine's own units, and of what a container lacks
		if strings.Contains(line, "docsvc") {
			t.Error(line)
		}
	}
}
