package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// A package's tests are built once. Through go build's overlay its embedded
// scripts are read from the directory that mutantDir names instead, so that a
// mutant costs no build and the tree is not touched.
const mutantDir = "DOCSVC_MUTANT_DIR"

const reader = `package %s

import (
	"os"
	"path/filepath"
)

// mutantScripts stands for embedded files.
type mutantScripts struct{}

func (mutantScripts) ReadFile(name string) ([]byte, error) {
	return os.ReadFile(filepath.Join(os.Getenv("` + mutantDir + `"), name))
}

func mutantScript(name string) string {
	b, err := mutantScripts{}.ReadFile(name)
	if err != nil {
		panic(err)
	}
	return string(b)
}
`

var (
	embeddedDir  = regexp.MustCompile(`(?m)^//go:embed lua/\*\.lua\nvar (\w+) embed\.FS$`)
	embeddedFile = regexp.MustCompile(`(?m)^//go:embed (lua/\w+\.lua)\nvar (\w+) string$`)
	importEmbed  = regexp.MustCompile(`(?m)^\t(_ )?"embed"\n`)
)

// rewrite makes a file read scripts when the tests start. It answers "" for
// one that embeds none.
func rewrite(src string) string {
	out := embeddedDir.ReplaceAllString(src, "var $1 mutantScripts")
	out = embeddedFile.ReplaceAllString(out, `var $2 = mutantScript("$1")`)
	if out == src {
		return ""
	}
	return importEmbed.ReplaceAllString(out, "")
}

// build makes the test binary of a package below root, and a copy of its
// scripts, in dir.
func build(root, pkg, dir string) (binary string, err error) {
	source := filepath.Join(root, pkg)
	files, err := filepath.Glob(filepath.Join(source, "*.go"))
	if err != nil {
		return "", err
	}
	overlay := map[string]string{}
	put := func(name, text string) error {
		at := filepath.Join(dir, name)
		overlay[filepath.Join(source, name)] = at
		return os.WriteFile(at, []byte(text), 0o600)
	}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		if text := rewrite(string(src)); text != "" {
			if err := put(filepath.Base(file), text); err != nil {
				return "", err
			}
		}
	}
	if len(overlay) == 0 {
		return "", fmt.Errorf("%s embeds no scripts in the way that build.go knows", pkg)
	}
	if err := put("mutant_scripts.go", fmt.Sprintf(reader, filepath.Base(pkg))); err != nil {
		return "", err
	}
	list, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		return "", err
	}
	at := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(at, list, 0o600); err != nil {
		return "", err
	}
	if err := copyScripts(source, dir); err != nil {
		return "", err
	}
	binary = filepath.Join(dir, filepath.Base(pkg)+".test")
	// Without its path no test finds what is below .cache of the tree.
	cmd := exec.Command("go", "test", "-c", "-vet=off", "-trimpath", "-overlay", at, "-o", binary, "./"+pkg)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the tests of %s: %w\n%s", pkg, err, out)
	}
	return binary, nil
}

// copyScripts copies the scripts of a package to dir.
func copyScripts(source, dir string) error {
	if err := os.Mkdir(filepath.Join(dir, "lua"), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	files, err := filepath.Glob(filepath.Join(source, "lua", "*.lua"))
	if err != nil {
		return err
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "lua", filepath.Base(file)), b, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// fewPrograms makes a directory of the programs that tests use but for those
// that are another Redis or another RQ, without which they have the in-process
// engine alone.
func fewPrograms(dir string) (string, error) {
	bin := filepath.Join(dir, "bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		return "", err
	}
	for _, name := range []string{"true", "false", "sleep", "sh", "cat"} {
		at, err := exec.LookPath(name)
		if err != nil {
			return "", err
		}
		if err := os.Symlink(at, filepath.Join(bin, name)); err != nil {
			return "", err
		}
	}
	return bin, nil
}

// environment is that of the tests: nothing from outside but PATH, or few.
func environment(scripts, few string, programs bool) []string {
	// A model that fails is not made smaller first.
	env := []string{mutantDir + "=" + scripts, "RAPID_SHRINKTIME=1ms"}
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		switch {
		case name == "CI", name == "REDIS_URL", strings.HasPrefix(name, "AWS_"), strings.HasPrefix(name, "DOCSVC_"):
		case name == "PATH" && !programs:
			env = append(env, "PATH="+few)
		default:
			env = append(env, v)
		}
	}
	return env
}
