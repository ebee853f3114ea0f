package cmd

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/docsvc/docsvc/pkg/client"
	"github.com/docsvc/docsvc/pkg/config"
	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/ingest"
	"github.com/docsvc/docsvc/pkg/objstore"
)

// maxParallel bounds --parallel: more would only wait for one another.
const maxParallel = 64

type ingestFlags struct {
	api            apiFlags
	title          string
	description    string
	tags           []string
	wait, noWait   bool
	parallel       int
	allowDuplicate bool
	retry          bool
	output         output
}

func (a *app) ingestCommand() *cobra.Command {
	var f ingestFlags
	c := &cobra.Command{
		Use: "ingest FILE|DIR|PATTERN|s3://BUCKET/KEY...", Short: "Upload files and have them processed",
		Long: `Uploads files, asks for their processing and waits for it. What is there already,
the same bytes, is not uploaded again: run the same command again after an
interruption, a failure or a change, and only what is missing is done.

A directory is walked to the bottom, hidden files included; of links only those
to files are followed. Files that are empty, larger than 5 GiB or of a type that
docsvc doesn't read are skipped and listed. A file that stands on the command
line itself is taken whatever its name says, if its content is readable; when it
can't be taken in, the exit status is 1.

s3://BUCKET/KEY takes in an object that is already in the server's bucket, where
it stays as it is; s3://BUCKET/PREFIX/ all below a prefix, which needs the
settings of the storage on this machine (see: docsvc config print).

stdout has what became of the files, without those that are plainly done; with
-o json or yaml all of them. stderr has the progress.

Ctrl-C ends it in order: what was uploaded goes on at the server. Once more ends
it at once. Exit status: 0 all is there, 1 something failed, 130 interrupted.
` + apiHelp,
		Example: `  docsvc ingest manual.pdf --title "Manual de Teste" --tag manual
  docsvc ingest contracts/ 'more/*.docx' --tag 2026
  docsvc ingest s3://docsvc/inbox/ --no-wait -o json`,
		Args: argsBetween(1, -1),
		RunE: func(c *cobra.Command, args []string) error { return a.runIngest(c.Context(), &f, args) },
	}
	c.Flags().StringVar(&f.title, "title", "", "title of the document; for one file")
	c.Flags().StringVar(&f.description, "description", "", "description of each new document")
	c.Flags().StringArrayVar(&f.tags, "tag", nil, "tag of each new document; may be repeated")
	c.Flags().BoolVar(&f.wait, "wait", true, "wait until the documents are processed")
	c.Flags().BoolVar(&f.noWait, "no-wait", false, "end when they are handed over")
	c.Flags().IntVar(&f.parallel, "parallel", 4, fmt.Sprintf("files to upload at a time, 1 to %d", maxParallel))
	c.Flags().BoolVar(&f.allowDuplicate, "allow-duplicate", false, "make a document of a file or text that is there already, each time")
	c.Flags().BoolVar(&f.retry, "retry", false, "process documents again that failed or were canceled before")
	exclusive(c, "wait", "no-wait")
	f.api.add(c)
	f.output.add(c)
	return c
}

// check refuses what can't be right before anything is done.
func (f *ingestFlags) check(args []string) error {
	f.noWait = f.noWait || !f.wait
	if f.parallel < 1 || f.parallel > maxParallel {
		return &usageError{message: fmt.Sprintf("--parallel %d is not between 1 and %d", f.parallel, maxParallel)}
	}
	if !slices.Contains([]string{"table", "json", "yaml"}, f.output.format) {
		return &usageError{message: fmt.Sprintf("-o %s is not one of table, json, yaml", f.output.format)}
	}
	if f.title != "" && !oneDocument(args) {
		return &usageError{message: "--title is the title of one document", hint: "name one file, or use --tag or --description for all of them"}
	}
	for _, t := range []struct {
		flag, text string
		most       int
	}{{"--title", f.title, document.MaxTitle}, {"--description", f.description, document.MaxDescription}} {
		if n := utf8.RuneCountInString(t.text); n > t.most {
			return &usageError{message: fmt.Sprintf("%s has %d characters, at most %d are taken", t.flag, n, t.most)}
		}
	}
	if len(f.tags) > document.MaxTags {
		return &usageError{message: fmt.Sprintf("%d tags, at most %d are taken", len(f.tags), document.MaxTags)}
	}
	for _, tag := range f.tags {
		if n := utf8.RuneCountInString(tag); strings.TrimSpace(tag) == "" || n > document.MaxTag {
			return &usageError{message: fmt.Sprintf("--tag %q is not 1 to %d characters long", tag, document.MaxTag)}
		}
	}
	if slices.Contains(args, "") {
		return &usageError{message: "an argument is empty", hint: "is a variable of the shell not set?"}
	}
	return nil
}

// oneDocument reports whether args can only be one document.
func oneDocument(args []string) bool {
	if len(args) != 1 {
		return false
	}
	if strings.HasPrefix(args[0], s3Scheme) {
		return !strings.HasSuffix(args[0], "/")
	}
	info, err := os.Stat(args[0])
	return err == nil && !info.IsDir() || err != nil && !strings.ContainsAny(args[0], "*?[")
}

func (a *app) runIngest(ctx context.Context, f *ingestFlags, args []string) error {
	if err := f.check(args); err != nil {
		return err
	}
	// The first signal ends the run in order; then the second finds no
	// handler and ends the process.
	ctx, stop := signal.NotifyContext(ctx, stopSignals()...)
	defer stop()
	p := a.newProgress(f.parallel)
	said := make(chan struct{})
	notStopped := context.AfterFunc(ctx, func() {
		defer close(said)
		stop()
		p.say("docsvc: stopping; Ctrl-C again ends at once")
	})
	results := &ingestResults{all: f.output.format != "table", progress: p}
	err := a.ingest(ctx, f, args, results)
	if !notStopped() {
		<-said
	}
	p.close()
	return a.printIngest(f, results, err, ctx.Err() != nil)
}

// ingest runs it; the error is one that kept it from beginning.
func (a *app) ingest(ctx context.Context, f *ingestFlags, args []string, results *ingestResults) error {
	api, err := a.dial(f.api, client.Config{Retrying: results.progress.retrying, Answering: results.progress.answering})
	if err != nil {
		return err
	}
	defer api.Close()
	health, err := api.With(shortPatience).Health(ctx)
	if err != nil {
		return a.apiError(api, err)
	}
	if health.Status == "unhealthy" {
		results.progress.say("docsvc: %s is not well: %s", api.Server(), strings.Join(health.Reasons, "; "))
	} else if q, known := health.Queues[config.DocumentQueue]; known && q.Workers == 0 && !f.noWait {
		results.progress.say("docsvc: no worker serves %s, so documents only wait there; start one with: docsvc worker", config.DocumentQueue)
	}
	src, err := a.ingestSource(ctx, args, health.Storage.Bucket)
	if err != nil {
		return err
	}
	poll := 30 * time.Second
	if results.progress.live() {
		poll = 2 * time.Second
	}
	results.report = ingest.Run(ctx, api, src, ingest.Options{
		AllowDuplicate: f.allowDuplicate, Description: f.description, NoWait: f.noWait, Parallel: f.parallel,
		Poll: poll, Retry: f.retry, Tags: f.tags, Title: f.title, Watch: results,
	})
	return nil
}

const s3Scheme = "s3://"

// ingestSource is what the arguments name. bucket is the server's, "" when it
// doesn't know.
func (a *app) ingestSource(ctx context.Context, args []string, bucket string) (ingest.Source, error) {
	var sources []ingest.Source
	var local []string
	flush := func() {
		if len(local) > 0 {
			sources = append(sources, ingest.Files(slices.Clone(local)))
			local = nil
		}
	}
	for _, arg := range args {
		rest, ok := strings.CutPrefix(arg, s3Scheme)
		if !ok {
			local = append(local, arg)
			continue
		}
		flush()
		src, err := a.objectSource(ctx, arg, rest, bucket)
		if err != nil {
			return nil, err
		}
		sources = append(sources, src)
	}
	flush()
	return ingest.All(sources...), nil
}

func (a *app) objectSource(ctx context.Context, arg, rest, bucket string) (ingest.Source, error) {
	name, key, _ := strings.Cut(rest, "/")
	if name == "" {
		return nil, &usageError{message: arg + " names no bucket", hint: "write it as s3://BUCKET/KEY or s3://BUCKET/PREFIX/"}
	}
	if bucket != "" && name != bucket {
		return nil, &usageError{message: fmt.Sprintf("%s is not in %s, the bucket of the server: only objects of that one can be taken in", arg, bucket),
			hint: "copy them there, or download them and ingest the files"}
	}
	if key != "" && !strings.HasSuffix(key, "/") {
		return ingest.Object(name, key), nil
	}
	store, ours, err := a.listingStore(name)
	if err != nil {
		return nil, err
	}
	return ingest.Objects(name, key, store.List(ctx, key, ""), ours), nil
}

// listingStore opens the bucket with the storage settings of this machine:
// the API lists no objects. ours are the beginnings of docsvc's own keys.
func (a *app) listingStore(bucket string) (*objstore.Store, []string, error) {
	cfg, err := a.loadConfig()
	if err != nil {
		return nil, nil, err
	}
	if cfg.Storage.Bucket != bucket || cfg.Origins["storage.endpoint"] == "default" && cfg.Origins["storage.bucket"] == "default" {
		return nil, nil, &usageError{
			message: fmt.Sprintf("listing s3://%s/ needs the settings of its storage on this machine, and there are none for this bucket (storage.bucket is %s)", bucket, cfg.Storage.Bucket),
			hint:    "set storage.* as for the server (docsvc config check tries them), or name the objects one by one",
		}
	}
	store, err := objectStore(cfg)
	if err != nil {
		return nil, nil, err
	}
	var ours []string
	for _, own := range document.OwnKeys() {
		ours = append(ours, store.Prefix()+own)
	}
	return store.WholeBucket(), ours, nil
}
