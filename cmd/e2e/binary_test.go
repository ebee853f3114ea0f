package e2e

import (
	"os/exec"
	"strings"
	"testing"
)

// A template calls methods by name. A linker that finds one reachable keeps
// every exported method of every type that is converted to an interface: a
// third of the binary. See "The binary" in docs/decisions.md.
func TestNoTemplateIsLinked(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "tool", "nm", docsvc(t)).Output()
	if err != nil {
		t.Fatalf("reading the binary's symbols: %v", err)
	}
	symbols := string(out)
	if !strings.Contains(symbols, "github.com/docsvc/docsvc/cmd.Main") {
		t.Fatal("the binary has no symbols to look at")
	}
	if strings.Contains(symbols, "text/template.(*state).evalField") {
		t.Error("text/template is linked into the binary, which makes it 11 MB larger; what reaches it? " +
			"(go build -ldflags=-dumpdep, upwards from text/template)")
	}
}
