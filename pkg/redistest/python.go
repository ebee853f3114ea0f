package redistest

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// Python returns a python that can import RQ, as scripts/fetch-python.sh puts
// it below .cache. Without one the test is skipped, but fails when CI=true.
func Python(t *testing.T) string {
	t.Helper()
	if p := FindPython(); p != "" {
		return p
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("no python with rq below .cache: CI must have one (make test fetches it)")
	}
	t.Skip("no python with rq below .cache (scripts/fetch-python.sh fetches it)")
	return ""
}

// FindPython returns the python below .cache that can import RQ, or "" where
// there is none.
func FindPython() string { return findPython("venv") }

// NamedPython returns the python of the environment that
// "scripts/fetch-python.sh NAME ..." made below .cache. Without one the test is
// skipped.
func NamedPython(t *testing.T, name string) string {
	t.Helper()
	p := findPython("venv-" + name)
	if p == "" {
		t.Skipf("no python environment %q below .cache (make interop fetches it)", name)
	}
	return p
}

func findPython(env string) string {
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		return ""
	}
	root := filepath.Dir(filepath.Dir(filepath.Dir(file)))
	p := filepath.Join(root, ".cache", env, "bin", "python")
	if exec.Command(p, "-I", "-c", "import rq").Run() != nil {
		return ""
	}
	return p
}
