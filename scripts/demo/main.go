// Command demo shows docsvc's main job on a machine where nothing is
// installed: it starts a standalone server in a directory of its own, sends
// the sample documents through the API as a client would, prints each call as
// the curl line a person would type, and removes everything again.
package main

import (
	"context"
	"embed"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"time"
)

//go:embed samples
var samples embed.FS

func main() {
	docsvc := flag.String("docsvc", "bin/docsvc", "the docsvc binary")
	cache := flag.String("cache", ".cache/extract", "where the PDF engine's compiled code is kept between runs")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	start := time.Now()
	err := run(ctx, *docsvc, *cache)
	switch {
	case err == nil:
		fmt.Printf("\ndemo done in %.1f s; server stopped, its directory removed\n", time.Since(start).Seconds())
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		fmt.Println("\ndemo interrupted; server stopped, its directory removed")
		os.Exit(130)
	default:
		fmt.Fprintf(os.Stderr, "\ndemo failed: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, docsvc, cache string) (err error) {
	bin, err := filepath.Abs(docsvc)
	if err != nil {
		return err
	}
	if cache, err = filepath.Abs(cache); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "docsvc-demo-")
	if err != nil {
		return fmt.Errorf("making a directory for the demo: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	say("starting a server of its own: docsvc serve --standalone (free ports, data in a temporary directory)")
	srv, err := startServer(ctx, bin, dir, cache)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, srv.stop()) }()

	d := &demo{server: srv, client: newClient(srv.api)}
	files, err := fs.Glob(samples, "samples/*")
	if err != nil {
		return err
	}
	sort.Strings(files)
	for _, name := range files {
		data, err := samples.ReadFile(name)
		if err != nil {
			return err
		}
		if err := d.process(ctx, filepath.Base(name), data); err != nil {
			return srv.explain(err)
		}
	}
	return d.summary(ctx)
}

// demo counts what became of the documents.
type demo struct {
	server *server
	client *client
	ended  map[string]int
}

func (d *demo) process(ctx context.Context, name string, data []byte) error {
	say("%s (%d bytes)", name, len(data))
	up, err := d.client.presign(ctx, name, len(data))
	if err != nil {
		return err
	}
	if err := d.client.upload(ctx, name, up.UploadURL, data); err != nil {
		return err
	}
	job, err := d.client.process(ctx, up.DocumentID, up.UploadID)
	if err != nil {
		return err
	}
	fmt.Printf("  job %s is %s, estimated %s\n", job.JobID, job.Status, job.EstimatedTime)
	st, err := d.client.follow(ctx, up.DocumentID)
	if err != nil {
		return err
	}
	if d.ended == nil {
		d.ended = map[string]int{}
	}
	d.ended[st.Status]++
	return d.show(ctx, up.DocumentID, st)
}

// show prints what a client gets of a document that has ended.
func (d *demo) show(ctx context.Context, id string, st *status) error {
	switch st.Status {
	case "failed":
		fmt.Printf("  failed as it should, code %s: %s\n", st.ErrorCode, st.Error)
		return nil
	case "duplicate":
		fmt.Printf("  same text as document %s, so nothing was stored twice\n", st.DuplicateOf)
		return nil
	}
	text, err := d.client.text(ctx, id)
	if err != nil {
		return err
	}
	shown := 0
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if r := []rune(line); len(r) > 90 {
			line = string(r[:90]) + "..."
		}
		fmt.Printf("  | %s\n", line)
		if shown++; shown == 3 {
			break
		}
	}
	chunks, err := d.client.chunkCount(ctx, id)
	if err != nil {
		return err
	}
	fmt.Printf("  %s in %.2f s: %d characters, %d %s\n", st.Status, st.ProcessingTime, len([]rune(text)), chunks, plural("chunk", chunks))
	return nil
}

func (d *demo) summary(ctx context.Context) error {
	say("the queue, as an operator sees it")
	fmt.Println("  $ docsvc queue info")
	out, err := d.server.command(ctx, "queue", "info")
	for line := range strings.Lines(out) {
		fmt.Print("  ", line)
	}
	if err != nil {
		return fmt.Errorf("docsvc queue info: %w", err)
	}
	fmt.Printf("\n%d completed, %d duplicate, %d failed\n", d.ended["completed"], d.ended["duplicate"], d.ended["failed"])
	if d.ended["completed"] == 0 || d.ended["duplicate"] != 1 || d.ended["failed"] != 1 {
		return errors.New("expected every sample completed but one duplicate and one failed")
	}
	return nil
}

func plural(word string, n int) string {
	if n == 1 {
		return word
	}
	return word + "s"
}

func say(format string, args ...any) { fmt.Printf("\n== "+format+"\n", args...) }
