//go:build unix && !linux

package extract

import "syscall"

// ownExecutable is empty where os.Executable has to do.
const ownExecutable = ""

// childAttributes put the child in a process group of its own, so that it can be
// killed with all it started and a Ctrl-C at the terminal doesn't reach it.
// When the parent ends, the child notices that the channel is closed.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

// residentMemory is unknown here: the child watches its own (see limitMemory).
func residentMemory(pid int) (int64, bool) { return 0, false }
