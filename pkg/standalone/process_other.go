//go:build !linux

package standalone

import "syscall"

// processStamp is not known here; only the pid tells processes apart.
func processStamp(int) string { return "" }

// childAttributes put a child into a process group of its own, out of reach of
// the terminal's Ctrl-C. When docsvc is killed the child stays, and the next
// start on its data directory ends it.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
