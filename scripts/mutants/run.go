package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// suite is some of a package's tests.
type suite struct {
	run      string // of -test.run, "" for all
	programs bool   // also on a real redis-server, where PATH has one
	limit    time.Duration
}

// narrow names the tests to begin with: most mutants end there, within a
// second. Scripts without a name here begin with tests called like them.
var narrow = map[string]string{
	"after":      "List|Search",
	"audit":      "Ledger|Lost|Audit",
	"apply":      "Refusing|Full|Apply|Guards|Conditions|Effects|ClaimedKeys",
	"cancel":     "Cancel|Dependent|Full",
	"claim":      "Claim|AnyJob",
	"delete":     "Delete|Full",
	"due":        "Due|Scheduler",
	"empty":      "Empty|Full",
	"expired":    "Recover|Maintenance",
	"finish":     "Finish|Conditions|Effects|Guards|ClaimedKeys",
	"fsck_edit":  "Fsck",
	"fsck_look":  "Fsck",
	"group":      "Groups",
	"heartbeat":  "Heartbeat|Full",
	"inspect":    "QueueInfo|Wrong|OtherTypes",
	"job":        "Finish|Requeue|Dependent|Repeat|MoveDue|TestEnqueue|Cancel|Delete|AnyJob|AnyRegistry|JobsReads|Results|Maintenance|DoesNotLoad|Spec|ReadRare|ReadLarge|HugeFields|EventsOf|Stop|Publish",
	"list":       "ListPages|AnyRegistry|Executions|WorkerRare",
	"maintain":   "Maintenance",
	"prelude":    "TimesOf|Rare|Apply|Keys|Effects|Guards|Conditions|TestEnqueue|TestFinish|Script|Repeated|Claim|Refusing|OtherTypes|WrongTypes|Permission|Refus|Full|Streams",
	"progress":   "Progress|Effects",
	"pulse":      "Recover|Heartbeat|Outage",
	"read":       "JobsReads|AnyJob",
	"recover":    "Recover|Abandoned|Maintenance|TwoRecoverers",
	"register":   "Register|Worker",
	"requeue":    "Requeue",
	"state":      "Worker",
	"sweep":      "Maintenance",
	"unlock":     "Maintenance|Scheduler",
	"unregister": "Unregister|Worker",
	"view":       "Status|Get|Watch|Process",
}

// heavy tests ask much of the machine and tell nothing about a guard that
// others don't.
const heavy = "HugePayload|FsckFindsNothing"

// suitesFor answers the tests that a script's mutants must get through, in
// order: the nearest, those on a redis-server, the model, and all.
func suitesFor(script string) []suite {
	name := strings.TrimSuffix(filepath.Base(script), ".lua")
	first := narrow[name]
	if first == "" {
		first = "(?i)" + name
	}
	return []suite{{first, false, 2 * time.Minute}, {first, true, 3 * time.Minute}, {"Model", false, 2 * time.Minute}, {"", false, 10 * time.Minute}}
}

// bench runs mutants of one package.
type bench struct {
	source string // directory of the package, where its tests run
	binary string
	few    string // see fewPrograms
	quick  bool   // only the nearest tests, on both engines
}

// suites are those that a mutant of the script is tried with.
func (b *bench) suites(script string) []suite {
	if b.quick {
		return suitesFor(script)[:2]
	}
	return suitesFor(script)
}

// baseline are the suites that the scripts as they are must pass before the
// mutants are tried: without that, their failures would say nothing.
func (b *bench) baseline(list []mutant) (suites []suite) {
	if !b.quick {
		return suitesFor("all")[3:]
	}
	for _, m := range list {
		for _, s := range b.suites(m.Script) {
			if !slices.Contains(suites, s) {
				suites = append(suites, s)
			}
		}
	}
	return suites
}

var failLine = regexp.MustCompile(`^\s*--- FAIL: (\S+)`)

// verdict answers what killed the scripts in dir, "" when all tests passed. A
// test that fails beside others must do it alone, too: it could have been the
// load.
func (b *bench) verdict(ctx context.Context, dir string, suites []suite) (string, error) {
	for _, s := range suites {
		by, err := b.try(ctx, dir, s)
		if err != nil {
			return "", err
		}
		if name, _, _ := strings.Cut(by, "/"); strings.HasPrefix(name, "Test") {
			s.run = "^" + name + "$"
			if by, err = b.try(ctx, dir, s); err != nil {
				return "", err
			}
		}
		if by != "" {
			return by, nil
		}
	}
	return "", nil
}

// try runs one suite until its first failure and names it.
func (b *bench) try(ctx context.Context, dir string, s suite) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.limit+30*time.Second)
	defer cancel()
	args := []string{"-test.v", "-test.failfast", "-test.timeout=" + s.limit.String(), "-test.skip=" + heavy}
	if s.run != "" {
		args = append(args, "-test.run="+s.run)
	}
	cmd := exec.CommandContext(ctx, b.binary, args...)
	cmd.Dir, cmd.Env = b.source, environment(dir, b.few, s.programs)
	// What the tests start is killed with them.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	r, w, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer func() { _ = r.Close() }()
	cmd.Stdout, cmd.Stderr = w, w
	err = cmd.Start()
	_ = w.Close()
	if err != nil {
		return "", fmt.Errorf("starting the tests: %w", err)
	}
	by := firstFailure(r)
	if by != "" {
		_ = cmd.Cancel()
	}
	err = cmd.Wait()
	_ = cmd.Cancel()
	switch {
	case by != "":
		return by, nil
	case ctx.Err() == context.Canceled:
		return "", ctx.Err()
	case err != nil:
		return "end of the tests: " + err.Error(), nil
	}
	return "", nil
}

// firstFailure reads until a test failed and names it. Subtests are reported
// behind the test that they belong to.
func firstFailure(r *os.File) string {
	in := bufio.NewScanner(r)
	in.Buffer(nil, 16<<20)
	by := ""
	for in.Scan() {
		line := in.Text()
		m := failLine.FindStringSubmatch(line)
		switch {
		case m != nil && strings.HasPrefix(m[1], by):
			by = m[1]
		case by != "":
			return by
		case strings.HasPrefix(line, "panic: test timed out"):
			return "a time limit"
		case strings.HasPrefix(line, "panic: "), strings.HasPrefix(line, "fatal error: "):
			return line
		}
	}
	return by
}
