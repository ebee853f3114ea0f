package cmd

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/docsvc/docsvc/pkg/extract/bombtest"
	"github.com/docsvc/docsvc/pkg/extract/extracttest"
	"github.com/docsvc/docsvc/pkg/porttest"
	"github.com/docsvc/docsvc/pkg/redistest"
)

// TestMain lets the test binary be docsvc itself, so that scripts, workers and
// parser children all run the code under test.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == extractChild { // started as /proc/self/exe, whose name testscript doesn't know
		os.Exit(Main(os.Args[1:], os.Stdout, os.Stderr))
	}
	testscript.Main(m, map[string]func(){
		"docsvc": func() { os.Exit(Main(os.Args[1:], os.Stdout, os.Stderr)) },
	})
}

// TestScripts runs testdata/script/*.txtar, each a terminal session in a
// directory of its own. Those named redis_* get a $REDIS_URL of a real
// redis-server and are left out where there is none.
func TestScripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	testscript.Run(t, testscript.Params{
		Files:               files,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("DOCSVC_EXTRACT_CACHE_DIR", extracttest.CacheDir(t))
			e.Setenv("NO_COLOR", "1")
			e.Setenv("SAMPLES", samples(t))
			e.Setenv("FREE", porttest.Addr(t))
			return nil
		},
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "redis-server":
				return redistest.Binary() != "", nil
			case "root":
				return os.Getuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"waitfor": waitFor,
			"api":     curl,
			"bombs":   bombs,
		},
	})
}

// waitFor repeats a command until it succeeds: waitfor docsvc queue info.
func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 0 {
		ts.Fatalf("usage: waitfor command [args]")
	}
	var err error
	for range 1200 {
		if args[0] == "exists" {
			_, err = os.Stat(ts.MkAbs(args[1]))
		} else {
			err = ts.Exec(args[0], args[1:]...)
		}
		if (err == nil) != neg {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("gave up waiting for %s: %v", strings.Join(args, " "), err)
}

// bombs writes files that expand into a directory: bombs DIR.
func bombs(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: bombs directory")
	}
	ts.Check(bombtest.Write(ts.MkAbs(args[0])))
}

// curl fetches a path of the standalone server of this directory with the
// real curl where there is one.
func curl(ts *testscript.TestScript, neg bool, args []string) {
	text := ts.ReadFile(".docsvc/standalone.json")
	_, rest, ok := strings.Cut(text, `"api": "`)
	base, _, _ := strings.Cut(rest, `"`)
	if !ok {
		ts.Fatalf("no api address in .docsvc/standalone.json: %s", text)
	}
	if _, err := exec.LookPath("curl"); err != nil {
		ts.Fatalf("no curl on PATH; guard the script with [exec:curl]")
	}
	args[len(args)-1] = base + args[len(args)-1]
	err := ts.Exec("curl", append([]string{"-sS"}, args...)...)
	if (err == nil) == neg {
		ts.Fatalf("curl: %v", err)
	}
}

func samples(t *testing.T) string {
	dir, err := filepath.Abs("../scripts/demo/samples")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
