//go:build !linux

package cage

import (
	"errors"

	"golang.org/x/sys/unix"
)

var errNotHere = errors.New("only Linux has it")

// RestrictThread does nothing here.
func RestrictThread(Files) error { return errNotHere }

// Enter gives up what can be given up here, and reports it.
func Enter(bool) Report {
	limits := Protection{Name: Limits, InForce: true, Note: "no core dumps"}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		limits.InForce, limits.Note = false, err.Error()
	}
	missing := errNotHere.Error()
	return Report{{Name: NoNewPrivs, Note: missing}, {Name: Landlock, Note: missing}, {Name: Seccomp, Note: missing}, limits}
}

// LimitMemory does nothing here: the child watches itself.
func LimitMemory(int, int64) error { return errNotHere }

// Expendable does nothing here.
func Expendable(int) {}
