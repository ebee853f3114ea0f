// Command bench-extract measures what docsvc makes of a directory of documents,
// and beside it, in the same run, what others make of the same files:
// pdftotext, pandoc, LibreOffice and Python's email, those that are installed.
//
// docsvc reads through the parser processes of the binary that it is given, as a
// worker does: one warm child in its cage, limits included, the file as
// a descriptor. The others are started once per file, which is how they are
// used; their time has that start in it. Everything runs one file at a time.
//
// See usage for where references are looked for and what the columns are.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const usage = `usage: bench-extract [flags] DIR

Reads every document below DIR with docsvc and with what else is installed, and
prints a Markdown table: for each format and reader the files, what became of
them, how near the texts are to references, times and memory.

References are texts that lie next to the documents. Of DIR/a/b.docx these are
looked for, in this order, with the ending .md or .txt:

  ground truth, made by hand     DIR/a/b.docx.truth.md  DIR/truth/a/b.docx.md  DIR/a/truth/b.docx.md
  another extractor's text       DIR/a/b.docx.ref.md    DIR/ref/a/b.docx.md    DIR/a/ref/b.docx.md

Directories called truth and ref hold nothing else, and files called manifest.* are
about documents. References of fewer than 20
words are left out. A document without references is read all the same.

  files      documents of the format, by their content (by their ending where nothing reads them)
  text       of how many there is text
  F1         mean over the references of the harmonic mean of precision and recall of words;
             no text counts 0. In brackets the number of references.
  order      mean of difflib's ratio over the first 2000 words
  p50 p95 max  milliseconds per file with text: for docsvc in a warm child, for others from start to end
  peak       most resident memory of one process, in MiB (looked at every few milliseconds); for
             docsvc of one that is ready for PDFs, too
  time, F1 ratio   docsvc's divided by this reader's, over the files that both gave text of;
             below 1 docsvc is faster, above 1 its text is nearer to the references
  errors     files without text, by reason

The text is what GET /documents/{id}/text answers, notes, comments, headers and
footers included. Marks of Markdown and HTML comments count for nothing on either
side.

flags:
`

type options struct {
	dir, references string
	docsvc, cache   string
	only            string
	timeout         time.Duration
	children, worst int
	peers           bool
}

func main() {
	var o options
	flag.Usage = func() { fmt.Fprint(flag.CommandLine.Output(), usage); flag.PrintDefaults() }
	flag.StringVar(&o.docsvc, "docsvc", "bin/docsvc", "the binary to measure")
	flag.StringVar(&o.references, "references", "", "a directory with truth and ref, besides those in DIR")
	flag.StringVar(&o.cache, "cache", "", "where docsvc's compiled code for PDFs is kept (compiled in each run, some seconds before the first file)")
	flag.StringVar(&o.only, "format", "", "only this format, e.g. docx")
	flag.DurationVar(&o.timeout, "timeout", 2*time.Minute, "how long another reader may take for one file")
	flag.IntVar(&o.children, "children", 1, "how many parser processes docsvc may use for one document")
	flag.IntVar(&o.worst, "worst", 0, "name so many files of each format that docsvc's text is farthest from the reference of")
	flag.BoolVar(&o.peers, "peers", true, "measure the others, too")
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	o.dir = flag.Arg(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-extract:", err)
		if errors.Is(err, errUsage) {
			os.Exit(2)
		}
		os.Exit(1)
	}
}
