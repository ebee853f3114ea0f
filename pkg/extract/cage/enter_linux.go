package cage

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// maxFiles is how many descriptors a child may have open: the channel, the
// document, the runtime's own, and the compiled code for a moment.
const maxFiles = 64

// Enter takes from this process what its parent couldn't, and reports what is
// in force. compiling leaves it the right to write files, where Landlock does.
func Enter(compiling bool) Report {
	limits := setLimits(compiling)
	privs := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	land, what := landlocked(), landlockNote(compiling)
	seccomp := installFilter()
	return Report{
		protection(NoNewPrivs, privs, "nothing it starts gains rights"),
		protection(Landlock, land, what),
		protection(Seccomp, seccomp, "no network, no other programs or processes"),
		protection(Limits, limits, "no core dumps, few descriptors, no files written"),
	}
}

func protection(name string, err error, note string) Protection {
	if err != nil {
		return Protection{Name: name, Note: err.Error()}
	}
	return Protection{Name: name, InForce: true, Note: note}
}

func landlockNote(compiling bool) string {
	abi, _ := landlockABI()
	what := "opens nothing but compiled code, to read"
	if compiling {
		what = "opens nothing but the directory of compiled code"
	}
	if abi >= 4 {
		what += "; no TCP"
	}
	return what + " (ABI " + strconv.Itoa(abi) + ")"
}

// landlocked finds out by trying: the root directory can be read by
// anybody, but not by a child.
func landlocked() error {
	if _, err := landlockABI(); err != nil {
		return err
	}
	dir, err := os.Open("/")
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) {
		return nil
	}
	if err == nil {
		_ = dir.Close()
	}
	return errors.New("the parent could not set it: its debug log says why")
}

func setLimits(compiling bool) error {
	var errs []error
	set := func(what int, most uint64) {
		var now unix.Rlimit
		if err := unix.Getrlimit(what, &now); err == nil && now.Max < most {
			most = now.Max
		}
		errs = append(errs, unix.Setrlimit(what, &unix.Rlimit{Cur: most, Max: most}))
	}
	set(unix.RLIMIT_CORE, 0)
	set(unix.RLIMIT_NOFILE, maxFiles)
	if !compiling {
		set(unix.RLIMIT_FSIZE, 0)
	}
	return errors.Join(errs...)
}

// LimitMemory lets a child have extra bytes of private memory beyond what it
// has mapped now: an absolute limit would have to guess how much the runtime
// reserves without using it. It is what stops one huge allocation, which nobody
// sees coming. 0 lifts the limit.
func LimitMemory(pid int, extra int64) error {
	most := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	if extra > 0 {
		mapped, err := privateMemory(pid)
		if err != nil {
			return err
		}
		most.Cur = uint64(mapped + extra)
	}
	if err := unix.Prlimit(pid, unix.RLIMIT_DATA, &most, nil); err != nil {
		return fmt.Errorf("limiting the memory of process %d: %w", pid, err)
	}
	return nil
}

// privateMemory is what RLIMIT_DATA counts, in bytes.
func privateMemory(pid int) (int64, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	if err != nil {
		return 0, err
	}
	var size, resident, shared, text, lib, data int64
	if _, err := fmt.Sscan(string(b), &size, &resident, &shared, &text, &lib, &data); err != nil {
		return 0, fmt.Errorf("reading statm of process %d: %w", pid, err)
	}
	return data * int64(os.Getpagesize()), nil
}

// Expendable has the system end this process before its parent when the machine
// runs out of memory.
func Expendable(pid int) {
	_ = os.WriteFile("/proc/"+strconv.Itoa(pid)+"/oom_score_adj", []byte("500"), 0)
}
