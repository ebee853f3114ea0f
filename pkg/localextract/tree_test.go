package localextract_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docsvc/docsvc/pkg/localextract"
)

func openTree(t *testing.T, dir string) *localextract.Tree {
	t.Helper()
	tree, err := localextract.OpenTree(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tree.Close() })
	return tree
}

// below lists the files below dir with their content.
func below(t *testing.T, dir string) []string {
	t.Helper()
	var got []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		got = append(got, strings.TrimPrefix(path, dir+"/")+" "+string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestTree(t *testing.T) {
	dir := write(t, map[string]string{"docs/a.txt": "one", "docs/sub/b.pdf": "two", "docs/sub/bad": "fail", "work/docs/a.txt": "three", "work/x": "four"})
	t.Chdir(filepath.Join(dir, "work"))
	out := filepath.Join(dir, "docs", "texts") // within what is read
	for range 2 {                              // the second run finds the texts of the first and leaves them alone
		c := localextract.Config{Form: localextract.Markdown, Pool: &reader{}, Tree: openTree(t, out)}
		got := outcomes(t, c, dir, "../docs", "docs/a.txt", filepath.Join(dir, "work/x"))
		abs := filepath.Join(out, dir, "work/x.md")
		expect(t, got, "../docs/a.txt -> "+out+"/docs/a.txt.md", "../docs/sub/b.pdf -> "+out+"/docs/sub/b.pdf.md", "../docs/sub/bad corrupt",
			"docs/a.txt name_taken", "work/x -> "+abs)
	}
	expect(t, below(t, out), "docs/a.txt.md # a.txt\n\none", "docs/sub/b.pdf.md # b.pdf\n\ntwo",
		strings.TrimPrefix(filepath.Join(dir, "work/x.md"), "/")+" # x\n\nfour")

	tree := openTree(t, filepath.Join(dir, "docs"))
	for path, want := range map[string]bool{"../docs": true, "../docs/sub": true, "../docs/a.txt": false, ".": false, "..": false, "none": false} {
		if got := tree.Contains(path); got != want {
			t.Errorf("Contains(%s) = %v", path, got)
		}
	}
}

// A link within the tree doesn't lead out of it, and what fails leaves nothing.
func TestTreeIsClosed(t *testing.T) {
	dir := write(t, map[string]string{"in/a.txt": "one", "in/b/c.txt": "two", "in/d.txt": "three",
		"outside/keep": "kept", "out/in/a.txt.txt/x": "a directory in the way"})
	t.Chdir(dir)
	if err := os.Symlink("../../outside", "out/in/b"); err != nil {
		t.Fatal(err)
	}
	c := localextract.Config{Form: localextract.Text, Pool: &reader{}, Tree: openTree(t, "out")}
	expect(t, outcomes(t, c, dir, "in"), "in/a.txt write_failed", "in/b/c.txt write_failed", "in/d.txt -> out/in/d.txt.txt")
	expect(t, below(t, filepath.Join(dir, "outside")), "keep kept")
	expect(t, below(t, filepath.Join(dir, "out")), "in/a.txt.txt/x a directory in the way", "in/d.txt.txt d.txt\n\nthree\n")
}
