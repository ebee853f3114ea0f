package failpoint_test

import (
	"os/exec"
	"strings"
	"testing"
)

// The product has no failpoints: neither the code that acts on them nor what
// only the chaos run needs is linked without the tag.
func TestProductHasNone(t *testing.T) {
	t.Parallel()
	list := func(args ...string) string {
		out, err := exec.Command("go", append([]string{"list"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("go list %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	const product, files = "github.com/docsvc/docsvc", "{{.ImportPath}} {{.GoFiles}}"
	for line := range strings.Lines(list("-deps", "-f", files, product)) {
		for _, word := range []string{"toxiproxy", "porcupine", "failpoint_on.go", "docsvc/scripts/"} {
			if strings.Contains(line, word) {
				t.Errorf("linked without the tag: %s", strings.TrimSpace(line))
			}
		}
		if strings.HasPrefix(line, product+"/pkg/failpoint ") && strings.Contains(line, " on.go") {
			t.Errorf("linked without the tag: %s", strings.TrimSpace(line))
		}
	}
	if with := list("-tags", "failpoint", "-deps", "-f", files, product); !strings.Contains(with, "failpoint_on.go") {
		t.Error("the tag makes no failpoints")
	}
}
