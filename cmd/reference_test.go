package cmd

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "write docs/cli.md anew")

// docs/cli.md is what --help says, command by command.
func TestCommandReference(t *testing.T) {
	t.Parallel()
	const path = "../docs/cli.md"
	want := commandReference()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != want {
		t.Error("docs/cli.md is not what --help says: go test ./cmd -run CommandReference -update")
	}
}

func commandReference() string {
	a := &app{stdout: io.Discard, stderr: io.Discard, lookupEnv: func(string) (string, bool) { return "", false }}
	root := a.root()
	root.InitDefaultHelpCmd()
	var b bytes.Buffer
	b.WriteString("# Commands\n\nWhat `docsvc COMMAND --help` says, made from it: `go test ./cmd -run CommandReference -update`.\n" +
		"Data goes to stdout, messages and logs to stderr; `-o json` and `-o yaml` give data to a program.\n\n" +
		"## docsvc\n\n```\n" + strings.TrimSpace(root.Long) + "\n```\n\nFlags of every command:\n\n```\n")
	b.WriteString(root.PersistentFlags().FlagUsages() + "```\n")
	for _, c := range visible(root) {
		describe(&b, c)
	}
	b.WriteString("\n## docsvc completion\n\n`docsvc completion bash`, `zsh`, `fish` or `powershell` prints a completion script; its `--help` says where it goes.\n")
	return b.String()
}

func describe(b *bytes.Buffer, c *cobra.Command) {
	depth := strings.Count(c.CommandPath(), " ")
	fmt.Fprintf(b, "\n%s %s\n\n", strings.Repeat("#", depth+1), c.CommandPath())
	text := c.Short + "."
	if c.Long != "" {
		text += "\n\n" + strings.TrimSpace(c.Long)
	}
	children := visible(c)
	if len(children) == 0 || c.LocalNonPersistentFlags().HasAvailableFlags() {
		text += "\n\nUsage: " + c.UseLine()
	}
	if c.Example != "" {
		text += "\n\nExamples:\n" + strings.TrimRight(c.Example, "\n")
	}
	if flags := c.LocalNonPersistentFlags(); flags.HasAvailableFlags() {
		text += "\n\n" + strings.TrimRight(flags.FlagUsages(), "\n")
	}
	fmt.Fprintf(b, "```\n%s\n```\n", text)
	for _, child := range children {
		describe(b, child)
	}
}

// visible are the commands below c that are docsvc's own and not hidden.
func visible(c *cobra.Command) []*cobra.Command {
	var list []*cobra.Command
	for _, child := range c.Commands() {
		if !child.Hidden && child.Name() != "help" && child.Name() != "completion" {
			list = append(list, child)
		}
	}
	return list
}

// Somebody who looks for what a command does finds it in prose: every command
// stands in a document that people write, and every flag beside its help.
func TestEveryCommandIsDocumented(t *testing.T) {
	t.Parallel()
	var prose string
	for _, name := range []string{"../README.md", "../docs/operations.md", "../docs/guia.md", "../docs/queue-protocol.md", "../docs/api.md"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		prose += string(text)
	}
	reference, err := os.ReadFile("../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	var check func(c *cobra.Command)
	check = func(c *cobra.Command) {
		if !mentions(prose, c.CommandPath()) {
			t.Errorf("no document tells of %s", c.CommandPath())
		}
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Name != "help" && !f.Hidden && !strings.Contains(string(reference), "--"+f.Name) {
				t.Errorf("docs/cli.md does not tell of %s --%s", c.CommandPath(), f.Name)
			}
		})
		for _, child := range visible(c) {
			check(child)
		}
	}
	a := &app{stdout: io.Discard, stderr: io.Discard, lookupEnv: func(string) (string, bool) { return "", false }}
	for _, c := range visible(a.root()) {
		check(c)
	}
}

// mentions looks for a command, also in a list: docsvc cleanup s3|orphaned.
func mentions(text, command string) bool {
	at := strings.LastIndexByte(command, ' ')
	return regexp.MustCompile(regexp.QuoteMeta(command[:at]) + ` ([a-z0-9-]+\|)*` + regexp.QuoteMeta(command[at+1:]) + `\b`).MatchString(text)
}
