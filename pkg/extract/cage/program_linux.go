package cage

import (
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// become puts the cage on the calling thread and replaces the process: what
// execve leaves is this thread alone, under the new program's name.
func (p Program) become() error {
	runtime.LockOSThread()
	if err := p.limit(); err != nil {
		return err
	}
	_ = unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	_ = RestrictThread(Files{Executable: p.Path, Run: p.Trees})
	_ = refuseCalls()
	err := unix.Exec(p.Path, append([]string{p.Path}, p.Args...), p.Env)
	return fmt.Errorf("starting %s: %w", p.Path, err)
}

func (p Program) limit() error {
	var errs []error
	set := func(what int, most uint64) {
		var now unix.Rlimit
		if err := unix.Getrlimit(what, &now); err == nil {
			most = min(most, now.Max)
		}
		errs = append(errs, unix.Setrlimit(what, &unix.Rlimit{Cur: most, Max: most}))
	}
	set(unix.RLIMIT_CORE, 0)
	set(unix.RLIMIT_FSIZE, 0)
	set(unix.RLIMIT_NOFILE, maxFiles)
	if p.CPU > 0 {
		set(unix.RLIMIT_CPU, uint64(math.Ceil(float64(p.CPU)/float64(time.Second))))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("setting limits: %w", err)
	}
	if p.Memory <= 0 {
		return nil
	}
	// What this process holds counts until execve, which must not fail for want of it.
	mapped, err := privateMemory(os.Getpid())
	if err != nil {
		mapped = 0
	}
	most := uint64(max(p.Memory, mapped+16<<20))
	if err := unix.Setrlimit(unix.RLIMIT_DATA, &unix.Rlimit{Cur: most, Max: most}); err != nil {
		return fmt.Errorf("limiting memory: %w", err)
	}
	return nil
}
