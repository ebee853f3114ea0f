//go:build failpoint

package failpoint

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// points is what this process knows of its failpoints. It belongs to the
// process, as the environment does, because Hit is called from everywhere.
var points = struct {
	sync.Mutex
	once    sync.Once
	action  string
	name    string
	turn    int
	passed  map[string]int
	seen    *os.File
	scripts map[string]string // SHA1 -> name
}{passed: map[string]int{}, scripts: map[string]string{}}

func read() {
	action, rest, _ := strings.Cut(os.Getenv("FAILPOINT"), "@")
	name, turn, _ := strings.Cut(rest, "#")
	points.action, points.name = action, name
	points.turn, _ = strconv.Atoi(turn)
	points.seen = open("FAILPOINT_SEEN")
}

// open opens the file that a variable names, nil where it names none.
func open(variable string) *os.File {
	name := os.Getenv(variable)
	if name == "" {
		return nil
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err) // a run that records nothing would prove nothing
	}
	return f
}

// Hit passes a failpoint.
func Hit(name string) {
	points.once.Do(read)
	points.Lock()
	points.passed[name]++
	n := points.passed[name]
	points.Unlock()
	if n == 1 {
		note("seen " + name)
	}
	if name != points.name || n != points.turn {
		return
	}
	note("hit " + name)
	if points.action == "stop" {
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		return
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // the signal is on its way: nothing more happens here
}

func note(line string) {
	if points.seen != nil {
		_, _ = points.seen.WriteString(line + "\n")
	}
}

// Script names the script with this SHA1 in the names of failpoints.
func Script(sha, name string) {
	points.Lock()
	defer points.Unlock()
	points.scripts[sha] = name
}

func script(sha string) string {
	points.Lock()
	defer points.Unlock()
	if name := points.scripts[sha]; name != "" {
		return name
	}
	return "script"
}
