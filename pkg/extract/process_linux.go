package extract

import (
	"os"
	"strconv"
	"strings"
	"syscall"
)

// ownExecutable starts the very binary that is running, even after the file
// was replaced by a newer version.
const ownExecutable = "/proc/self/exe"

// childAttributes put the child in a process group of its own, so that it can be
// killed with all it started and a Ctrl-C at the terminal doesn't reach it,
// and end it when its parent ends in whatever way.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// residentMemory reads how much memory a process holds, in bytes.
func residentMemory(pid int) (int64, bool) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	if err != nil {
		return 0, false
	}
	fields := strings.Fields(string(b))
	if len(fields) < 2 {
		return 0, false
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize()), err == nil
}
