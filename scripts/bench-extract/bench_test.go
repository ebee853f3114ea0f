package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/extract"
	"github.com/docsvc/docsvc/pkg/extract/pdf/pdftest"
)

// The program that is measured in these tests is the test itself.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "_extract" {
		os.Exit(extract.RunChild(context.Background()))
	}
	os.Exit(m.Run())
}

// The numbers are what Python's unicodedata, re and difflib make of the same
// texts.
func TestScoresAreThoseOfPython(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, got, want string
		f1, order       float64
	}{
		{"the same", "Um dois três.", "um DOIS três", 1, 1},
		{"nothing", "", "um dois três", 0, 0},
		{"marks", "# A *b* | c\n\n![pic](x.png) [link](http://e.org) <!-- gone -->", "a b c link", 1, 1},
		{"entities", "a &lt;b&gt; c\\_d", "a b c_d", 1, 1},
		{"hyphen", "exem-\nplo e Con-\nTexto", "exemplo e con texto", 1, 1},
		{"forms", "ﬁne ½ x² ＡＢＣ soft\u00adhyphen", "fine 1⁄2 x2 abc softhyphen", 1, 1},
		{"moved", "c d a b x", "a b c d y", 0.8, 0.4},
		{"repeated", "a a a b", "a b b", 4.0 / 7, 4.0 / 7},
		{"half", "a b c d e f", "a x c y e z w", 6.0 / 13, 6.0 / 13},
		{"han", "水の都 water", "水都", 0.4, 0.4},
		{"300 words", random(300, 300, 50), random(401, 400, 50), 0.74, 0.08571428571428572},
		{"2500 words", random(2500, 2500, 300), random(2101, 2100, 300), 0.788695652173913, 0.017},
		{"three words", random(50, 50, 3), random(51, 50, 3), 0.9, 0.48},
	} {
		l := compare(words(unmarked(c.got)), words(unmarked(c.want)))
		if math.Abs(l.f1-c.f1) > 1e-9 || math.Abs(l.order-c.order) > 1e-9 {
			t.Errorf("%s: F1 %v, order %v; want %v, %v", c.name, l.f1, l.order, c.f1, c.order)
		}
	}
}

// random is n words out of so many, the same every time.
func random(seed, n, of int) string {
	var b strings.Builder
	for range n {
		seed = (seed*1103515245 + 12345) & 0x7fffffff
		fmt.Fprintf(&b, "w%d ", (seed>>16)%of)
	}
	return b.String()
}

const twenty = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty"

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestReferencesAreFound(t *testing.T) {
	t.Parallel()
	dir, beside := t.TempDir(), t.TempDir()
	for _, name := range []string{
		"a/next.txt", "a/next.txt.truth.md", "a/next.txt.ref.txt", "a/top.txt", "truth/a/top.txt.md", "ref/a/top.txt.txt",
		"a/near.txt", "a/truth/near.txt.txt", "a/none.txt", "a/else.txt", "manifest.tsv", ".hidden",
	} {
		write(t, dir, name, twenty)
	}
	write(t, dir, "a/short.txt", twenty)
	write(t, dir, "a/short.txt.truth.md", "too short to say anything")
	write(t, beside, "truth/a/else.txt.md", twenty)
	files, err := find(dir, beside)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range files {
		s := strings.TrimPrefix(filepath.ToSlash(f.path), filepath.ToSlash(dir)+"/a/") + " " + f.format
		for _, r := range f.references {
			s += fmt.Sprintf(" %v/%d", r.truth, len(r.words))
		}
		got = append(got, s)
	}
	want := "else.txt text true/20\nnear.txt text true/20\nnext.txt text true/20 false/20\nnone.txt text\nshort.txt text\ntop.txt text true/20 false/20"
	if s := strings.Join(got, "\n"); s != want {
		t.Errorf("found\n%s\nwant\n%s", s, want)
	}
}

// A whole run, through parser processes.
func TestRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "good.txt", twenty)
	write(t, dir, "good.txt.truth.md", "# "+twenty)
	write(t, dir, "half.txt", "one two three four five six seven eight nine ten")
	write(t, dir, "half.txt.truth.md", twenty)
	write(t, dir, "bad.zip", "PK\x03\x04 and nothing else")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	o := options{dir: dir, docsvc: exe, cache: pdftest.CacheDir(t), timeout: time.Minute, worst: 1}
	if err := run(t.Context(), o, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| text ", "0.833, 0.833 (2)", "1 corrupt", "half.txt"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if err := run(t.Context(), options{dir: t.TempDir()}, &out); !errors.Is(err, errUsage) {
		t.Errorf("an empty directory: %v", err)
	}
}

// Another reader counts as it ends: with text, with an exit status, with
// nothing, not at all.
func TestPrograms(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "file", "x")
	shell := func(timeout time.Duration, script string) result {
		p := &program{title: "sh", binary: "/bin/sh", timeout: timeout, temp: dir, watch: newWatch(),
			extract: func(ctx context.Context, p *program, path, _ string) (string, error) {
				return output(ctx, p.binary, "-c", script)
			}}
		defer p.close()
		r, err := p.read(t.Context(), filepath.Join(dir, "file"))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := shell(time.Minute, "echo some text"); r.text != "some text\n" || r.reason != "" {
		t.Errorf("text: %+v", r)
	}
	if r := shell(time.Minute, "echo lost; exit 3"); r.text != "" || r.reason != "exit_status_3" {
		t.Errorf("a status: %+v", r)
	}
	if r := shell(time.Minute, ":"); r.reason != "no_text" {
		t.Errorf("nothing: %+v", r)
	}
	if r := shell(100*time.Millisecond, "sleep 100"); r.reason != "timeout" {
		t.Errorf("no end: %+v", r)
	}
}

func TestRatiosAreOverFilesThatBothRead(t *testing.T) {
	t.Parallel()
	f := &file{references: []reference{{}}}
	of := func(ms int, f1 float64, reason string) *outcome {
		return &outcome{f, result{took: time.Duration(ms) * time.Millisecond, reason: reason}, []likeness{{f1: f1}}}
	}
	ours := &row{outcomes: []*outcome{of(10, 0.9, ""), of(500, 0.1, ""), of(1, 0, "corrupt")}}
	theirs := &row{outcomes: []*outcome{of(40, 0.6, ""), of(1, 0, "timeout"), of(7, 1, "")}}
	took, f1 := ratios(ours, theirs)
	if took != 0.25 || math.Abs(f1-1.5) > 1e-9 {
		t.Errorf("time %v, F1 %v", took, f1)
	}
	if got := milliseconds(ours.times(), 95); got != "500.0" {
		t.Errorf("p95 %s", got)
	}
}

// A peer that prints without end, or leaves such a file, costs bounded memory.
func TestTextOfPeersIsBounded(t *testing.T) {
	t.Parallel()
	if _, err := output(t.Context(), "yes", strings.Repeat("word ", 200)); !errors.Is(err, errTooLarge) {
		t.Errorf("printed: %v", err)
	}
	name := filepath.Join(t.TempDir(), "large.csv")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(name, maxText+1); err != nil { // takes no room
		t.Fatal(err)
	}
	var b boundedText
	if err := b.addFile(name); !errors.Is(err, errTooLarge) {
		t.Errorf("in a file: %v", err)
	}
}
