package rq_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// testsOfTheProject are the names of all Go tests, and those of the scenarios
// below TestInterop.
func testsOfTheProject(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	function := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() && strings.HasPrefix(d.Name(), ".") && len(d.Name()) > 2 {
			return fs.SkipDir
		}
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range function.FindAllSubmatch(text, -1) {
			names[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range allScenarios() {
		names["TestInterop/"+s.name] = true
	}
	for _, e := range exchanges {
		names["TestInterop/"+e.name] = true
	}
	return names
}

// TestCompatibilityPage checks that docs/rq-compatibility.md has a row for
// each feature of RQ, and that every test it names exists, as well as those
// of the intended differences.
func TestCompatibilityPage(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/rq-compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	page, tests := string(text), testsOfTheProject(t)
	for _, m := range regexp.MustCompile("`(Test[^`]*)`").FindAllStringSubmatch(page, -1) {
		if !tests[m[1]] && m[1] != "TestInterop/..." {
			t.Errorf("the page names %s, which does not exist", m[1])
		}
	}
	for _, row := range intended {
		if !tests[row.test] {
			t.Errorf("%s: %s does not exist", row.name, row.test)
		}
		if row.line != nil && !strings.HasPrefix(row.test, "TestInterop/") {
			t.Errorf("%s: a difference of dumps is shown by a scenario, not by %s", row.name, row.test)
		}
	}
	left := []int{24, 41, 43, 44} // Python's own; the page says so
	for n := 1; n <= 50; n++ {
		row := regexp.MustCompile(`(?m)^\| ` + strconv.Itoa(n) + ` \|.*$`).FindString(page)
		switch {
		case slices.Contains(left, n):
		case row == "":
			t.Errorf("no row %d", n)
		case strings.Count(row, " |") != 6:
			t.Errorf("row %d has other columns: %s", n, row)
		case !strings.Contains(row, "`Test") && !strings.Contains(row, "not offered"):
			t.Errorf("row %d names no test", n)
		}
	}
}
