// Package cmd is the command line: one file per command, which parses, wires
// and prints; no logic. What holds for every command:
//
//   - Data goes to stdout, messages and logs to stderr.
//   - -o table|json|yaml chooses the form of data; NO_COLOR and a stdout that
//     is no terminal switch colours off.
//   - An error says what happened, to which job or document, and what to do
//     next, as "docsvc: message".
//   - Exit status: 0 done, 1 failed, 2 usage, 3 not found, 4 unhealthy, 130 interrupted.
//   - Secrets come from files or the environment, never from flags.
package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/docsvc/docsvc/pkg/config"
	"github.com/docsvc/docsvc/pkg/rq"
)

// app is what the commands of one invocation share.
type app struct {
	stdout, stderr io.Writer
	configFile     string
	logLevel       string
	lookupEnv      func(string) (string, bool)
	environ        func() []string
}

// Main runs one command line and returns the exit status.
func Main(args []string, stdout, stderr io.Writer) int {
	redis.SetLogger(quietRedis{})
	a := &app{stdout: stdout, stderr: stderr, lookupEnv: os.LookupEnv, environ: os.Environ}
	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(context.Background())
	if err != nil {
		a.report(err)
	}
	return exitStatus(err)
}

// quietRedis drops what go-redis writes to stderr by itself: each of those
// errors reaches its caller, who says what it means.
type quietRedis struct{}

func (quietRedis) Printf(context.Context, string, ...any) {}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "docsvc",
		Short: "Take in documents: presigned uploads, an RQ-compatible Redis queue, text and chunks",
		Long: `docsvc takes in documents asynchronously. Clients get a presigned URL, upload
straight to S3-compatible storage and ask for processing; a job goes onto a Redis
queue laid out as Python RQ's; workers turn files into clean text and chunks.

Start here: docsvc serve --standalone

Exit status: 0 done, 1 failed, 2 usage, 3 not found, 4 unhealthy, 130 interrupted.`,
		Version:       buildVersion(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noSuchCommand,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.PersistentFlags().StringVar(&a.configFile, "config", "", "configuration file (default: "+strings.Join(config.SearchPath(), ", ")+")")
	root.PersistentFlags().StringVar(&a.logLevel, "log-level", "", "debug, info, warn or error (default: log.level)")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return &usageError{message: err.Error(), hint: "see: " + c.CommandPath() + " --help"}
	})
	root.CompletionOptions.HiddenDefaultCmd = false
	root.AddCommand(
		a.serveCommand(), a.workerCommand(), a.queueCommand(), a.cleanupCommand(),
		a.extractCommand(), a.ingestCommand(), a.documentsCommand(), a.warmCommand(), a.configCommand(), a.versionCommand(), a.extractChildCommand(),
	)
	return root
}

// group makes a command that only holds others.
func group(use, short string, children ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short, Args: noSuchCommand,
		RunE: func(c *cobra.Command, _ []string) error {
			_ = c.Help()
			return &usageError{message: c.CommandPath() + " needs a command", hint: "one of the above"}
		},
	}
	c.AddCommand(children...)
	return c
}

func noSuchCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := "see: " + c.CommandPath() + " --help"
	c.SuggestionsMinimumDistance = 2
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "did you mean: " + c.CommandPath() + " " + near[0]
	}
	return &usageError{message: fmt.Sprintf("%s has no command %q", c.CommandPath(), args[0]), hint: hint}
}

// noArgs and the like refuse stray words with the command's usage line.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return &usageError{message: fmt.Sprintf("unexpected %q", args[0]), hint: "usage: " + c.UseLine()}
	}
	return nil
}

func argsBetween(least, most int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) < least || most >= 0 && len(args) > most {
			return &usageError{message: fmt.Sprintf("%s takes %s, not %d", c.CommandPath(), countArgs(least, most), len(args)), hint: "usage: " + c.UseLine()}
		}
		return nil
	}
}

// exclusive refuses two flags together, in cobra's stead: its error is no
// usageError.
func exclusive(c *cobra.Command, one, other string) {
	c.MarkFlagsMutuallyExclusive(one, other) // for completion
	c.PreRunE = func(c *cobra.Command, _ []string) error {
		if c.Flags().Changed(one) && c.Flags().Changed(other) {
			return &usageError{message: fmt.Sprintf("--%s and --%s exclude each other", one, other), hint: "usage: " + c.UseLine()}
		}
		return nil
	}
}

// waitFlag is a length of time that may be plain seconds, as ?wait= has them.
type waitFlag time.Duration

func (w *waitFlag) String() string {
	if *w == 0 {
		return ""
	}
	return time.Duration(*w).String()
}

// Type is the word for it in help texts.
func (w *waitFlag) Type() string { return "duration" }

// Set reads it; the error stands behind pflag's words.
func (w *waitFlag) Set(text string) error {
	d, err := rq.ParseSeconds(text)
	if err != nil {
		return err
	}
	*w = waitFlag(d)
	return nil
}

func countArgs(least, most int) string {
	switch {
	case most < 0:
		return fmt.Sprintf("at least %d argument", least) + plural(least)
	case least == most:
		return fmt.Sprintf("%d argument", least) + plural(least)
	default:
		return fmt.Sprintf("%d to %d arguments", least, most)
	}
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

// report prints an error for people: each line of a joined error on its own,
// then the hint.
func (a *app) report(err error) {
	var silent *silentError
	if errors.As(err, &silent) {
		return
	}
	for line := range strings.Lines(strings.TrimRight(err.Error(), "\n")) {
		fmt.Fprintf(a.stderr, "docsvc: %s\n", strings.TrimRight(line, "\n"))
	}
	var usage *usageError
	if errors.As(err, &usage) && usage.hint != "" {
		fmt.Fprintf(a.stderr, "%s\n", usage.hint)
		return
	}
	var h *hintError
	if errors.As(err, &h) {
		fmt.Fprintf(a.stderr, "%s\n", h.hint)
	}
}
