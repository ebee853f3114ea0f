//go:build unix && !linux

package cage

import (
	"fmt"
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// become replaces the process, with the limits that there are here.
func (p Program) become() error {
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	if p.CPU > 0 {
		most := uint64(math.Ceil(float64(p.CPU) / float64(time.Second)))
		_ = unix.Setrlimit(unix.RLIMIT_CPU, &unix.Rlimit{Cur: most, Max: most})
	}
	if p.Memory > 0 {
		_ = unix.Setrlimit(unix.RLIMIT_DATA, &unix.Rlimit{Cur: uint64(p.Memory), Max: uint64(p.Memory)})
	}
	err := unix.Exec(p.Path, append([]string{p.Path}, p.Args...), p.Env)
	return fmt.Errorf("starting %s: %w", p.Path, err)
}
