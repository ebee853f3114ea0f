package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/docsvc/docsvc/pkg/config"
	"github.com/docsvc/docsvc/pkg/extract"
	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/filewalk"
	"github.com/docsvc/docsvc/pkg/localextract"
)

type extractFlags struct {
	form         string
	out          string
	passwordFile string
}

func (a *app) extractCommand() *cobra.Command {
	var f extractFlags
	c := &cobra.Command{
		Use: "extract FILE|DIR...", Short: "Print the text of files of this machine, without any server",
		Long: `Reads files with the parsers and the limits (extract.*) of a worker, several at a
time, and prints their texts in the order of the files. Nothing is sent anywhere:
it needs no Redis, no storage, no configuration.

  -o text      without marks: blank lines between paragraphs, tabs between cells
  -o markdown  the same bytes that GET /documents/{id}/text answers
  -o json      one object a line: metadata, text, blocks, warnings; or the error

Several texts have "==> NAME <==" above each. --out writes them to files instead:
docs/a.pdf becomes DIR/docs/a.pdf.txt (.md, .json). A directory is walked to the
bottom; what in it is no document is listed and skipped.

A file that can't be read is named with the reason, and the rest goes on; then
the exit status is 1.`,
		Example: `  docsvc extract manual.pdf | less
  docsvc extract contracts/ --out texts -o markdown
  docsvc extract -o json *.docx | jq -r '[.file, .words] | @tsv'`,
		Args: argsBetween(1, -1),
		RunE: func(c *cobra.Command, args []string) error {
			if c.Flags().Changed("out") && f.out == "" {
				return &usageError{message: "--out is empty", hint: "is a variable of the shell not set?"}
			}
			return a.runExtract(c.Context(), f, args)
		},
	}
	c.Flags().StringVarP(&f.form, "output", "o", string(localextract.Text), strings.Join(localextract.Forms(), ", "))
	c.Flags().StringVar(&f.out, "out", "", "write one file per text below this directory")
	c.Flags().StringVar(&f.passwordFile, "password-file", "", "file with the password of encrypted files, on its first line")
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(localextract.Forms(), cobra.ShellCompDirectiveNoFileComp))
	return c
}

func (a *app) runExtract(ctx context.Context, f extractFlags, args []string) (err error) {
	if !slices.Contains(localextract.Forms(), f.form) {
		return &usageError{message: fmt.Sprintf("-o %s is not one of %s", f.form, strings.Join(localextract.Forms(), ", "))}
	}
	c := localextract.Config{Form: localextract.Form(f.form), Parallel: runtime.NumCPU()}
	if c.Password, err = firstLine(f.passwordFile); err != nil {
		return &usageError{message: fmt.Sprintf("--password-file: %v", err)}
	}
	// Not loadConfig: it looks for a server.
	cfg, err := config.Load(a.configFile, a.lookupEnv, a.logOverride()...)
	if err != nil {
		return err
	}
	if cfg.Origins["log.level"] == "default" {
		cfg.Log.Level = "warn"
	}
	log, err := a.logger(cfg)
	if err != nil {
		return err
	}
	if f.out != "" {
		if c.Tree, err = a.extractTree(f.out, args); err != nil {
			return err
		}
		defer func() { _ = c.Tree.Close() }()
	}
	pool, err := (&services{config: cfg, log: log}).extractPool(c.Parallel)
	if err != nil {
		return err
	}
	defer func() { _ = pool.Close() }()
	c.Pool = pool
	ctx, stop := signal.NotifyContext(ctx, stopSignals()...)
	defer stop()
	p := &extractPrinter{app: a, form: c.Form, several: !oneFile(args), tree: c.Tree != nil,
		skipped: map[string]int{}, failed: map[string]int{}}
	err = localextract.Run(ctx, c, args, p.take)
	if errors.Is(err, context.Canceled) {
		fmt.Fprintf(a.stderr, "docsvc: stopped; %d file%s done\n", p.extracted, plural(p.extracted))
		return &silentError{status: exitInterrupted}
	}
	if err != nil {
		return err
	}
	return p.summary()
}

// extractTree opens the directory for texts, and refuses to read from it.
func (a *app) extractTree(out string, args []string) (*localextract.Tree, error) {
	tree, err := localextract.OpenTree(out)
	if err != nil {
		return nil, err
	}
	for _, arg := range args {
		if tree.Contains(arg) {
			_ = tree.Close()
			return nil, &usageError{message: fmt.Sprintf("--out %s holds %s, which is to be read: the next run would read the texts of this one", out, arg),
				hint: "choose a directory beside it or below it"}
		}
	}
	return tree, nil
}

// firstLine reads a secret; "" for no file.
func firstLine(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	if line = strings.TrimSuffix(line, "\r"); line == "" {
		return "", fmt.Errorf("the first line of %s is empty", path)
	}
	return line, nil
}

// oneFile reports whether args are the name of a single file, whose text needs
// no name above it.
func oneFile(args []string) bool {
	if len(args) != 1 {
		return false
	}
	info, err := os.Stat(args[0])
	return err == nil && !info.IsDir()
}

// extractPrinter writes texts to stdout and what went wrong to stderr.
type extractPrinter struct {
	*app
	form    localextract.Form
	several bool // texts have their names above them
	tree    bool // texts go to files

	extracted       int
	skipped, failed map[string]int // by code
}

func (p *extractPrinter) take(o *localextract.Outcome) error {
	name := filewalk.Printable(o.Entry.Path)
	switch {
	case o.Failed():
		p.failed[o.Code]++
		fmt.Fprintf(p.stderr, "docsvc: %s: %s (%s)\n", name, o.Reason, o.Code)
		if p.form == localextract.JSON && !p.tree {
			return p.failure(o)
		}
		return nil
	case o.Skipped != "":
		p.skipped[o.Code]++
		what, _, _ := strings.Cut(o.Skipped, ". ") // what to do about it would be noise
		fmt.Fprintf(p.stderr, "docsvc: %s: skipped: %s\n", name, strings.TrimSuffix(what, "."))
		return nil
	}
	for _, note := range o.Notes {
		fmt.Fprintf(p.stderr, "docsvc: %s: %s\n", name, note)
	}
	err := p.text(name, o.Body)
	p.extracted++
	return err
}

// failure keeps the place of a file without text among the lines of JSON.
func (p *extractPrinter) failure(o *localextract.Outcome) error {
	line, err := localextract.FailureLine(o)
	if err == nil {
		_, err = p.stdout.Write(line)
	}
	return err
}

func (p *extractPrinter) text(name string, body []byte) error {
	if body == nil {
		return nil
	}
	if p.several && p.form != localextract.JSON {
		gap := ""
		if p.extracted > 0 {
			gap = "\n"
		}
		if _, err := fmt.Fprintf(p.stdout, "%s==> %s <==\n", gap, name); err != nil {
			return fmt.Errorf("printing the text of %s: %w", name, err)
		}
	}
	if _, err := p.stdout.Write(body); err != nil {
		return fmt.Errorf("printing the text of %s: %w", name, err)
	}
	if (p.several || terminal(p.stdout)) && body[len(body)-1] != '\n' {
		if _, err := io.WriteString(p.stdout, "\n"); err != nil {
			return fmt.Errorf("printing the text of %s: %w", name, err)
		}
	}
	return nil
}

// summary counts where there is something to count.
func (p *extractPrinter) summary() error {
	skipped, failed := total(p.skipped), total(p.failed)
	all := p.extracted + skipped + failed
	switch {
	case all == 0:
		fmt.Fprintln(p.stderr, "docsvc: there are no files to extract")
	case p.several && skipped+failed > 0:
		fmt.Fprintf(p.stderr, "docsvc: %d file%s: %d extracted, %d skipped%s, %d failed%s\n",
			all, plural(all), p.extracted, skipped, byCode(p.skipped), failed, byCode(p.failed))
	}
	if p.skipped[block.CodeUnsupported] > 0 {
		var titles []string
		for _, f := range extract.Formats() {
			titles = append(titles, f.Title)
		}
		fmt.Fprintf(p.stderr, "docsvc: what can be read: %s\n", strings.Join(titles, ", "))
	}
	if p.failed[block.CodeEncrypted] > 0 {
		fmt.Fprintln(p.stderr, "docsvc: a password goes into a file, named with --password-file")
	}
	if failed > 0 {
		return &silentError{status: exitFailed}
	}
	return nil
}

func total(counts map[string]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

// byCode lists counts: " (10 corrupt, 1 encrypted)".
func byCode(counts map[string]int) string {
	if len(counts) == 0 {
		return ""
	}
	return " (" + breakdown(counts) + ")"
}
