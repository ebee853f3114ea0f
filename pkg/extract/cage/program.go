package cage

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Program is another program that is to read what a stranger sent: its code is
// not ours. It gets standard input, output and error, and:
//
//   - no_new_privs, and resource limits on memory, processor time and
//     descriptors; it writes no files and leaves no core dump;
//   - Landlock: it opens only what lies below the directories of Trees, to read;
//   - seccomp: no sockets, no other processes, no signals to others, and none of
//     the calls that take a machine over. Everything else is allowed, for what a
//     foreign program calls is not ours to list.
//
// Where the kernel lacks one of them the program runs without it, as a parser does.
type Program struct {
	Path string   `json:"path"`
	Args []string `json:"args"` // without the name
	Env  []string `json:"env"`
	// Trees are the directories with programs, libraries and data.
	Trees []string `json:"trees"`
	// Memory is what it may allocate, in bytes.
	Memory int64 `json:"memory"`
	// CPU is how long it may compute.
	CPU time.Duration `json:"cpu"`
}

// programVariable holds a Program in the environment of a process that is to become it.
const programVariable = "DOCSVC_CAGED_PROGRAM"

// Variable is the environment variable that tells Become what to run.
func (p Program) Variable() (string, error) {
	b, err := json.Marshal(p)
	if err != nil {
		return "", fmt.Errorf("encoding what is to run: %w", err)
	}
	return programVariable + "=" + string(b), nil
}

// ExitNotStarted is the status of a process that could not become a Program;
// its standard error says why.
const ExitNotStarted = 125

// Become turns this process into the Program that its environment names. It
// returns false when there is none, and ends the process when it can't.
func Become() bool {
	text, ok := os.LookupEnv(programVariable)
	if !ok {
		return false
	}
	var p Program
	err := json.Unmarshal([]byte(text), &p)
	if err == nil {
		err = p.become()
	}
	fmt.Fprintln(os.Stderr, "docsvc:", err)
	os.Exit(ExitNotStarted)
	return true
}

// Trees lists the directories that a program at path needs: the system's, and
// the one that it was installed below.
func Trees(path string, more ...string) []string {
	trees := []string{"/bin", "/lib", "/lib64", "/usr", "/opt", "/nix/store", "/gnu/store", "/etc/ld.so.cache", "/etc/alternatives"}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		if prefix := filepath.Dir(filepath.Dir(real)); prefix != "/" {
			trees = append(trees, prefix)
		}
	}
	var there []string
	for _, dir := range append(trees, more...) {
		if _, err := os.Stat(dir); err == nil {
			there = append(there, dir)
		}
	}
	return there
}
