package standalone

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// processStamp tells a process from a later one with the same pid, also after
// a reboot: the boot's id and the process's start time in ticks since boot.
// It is empty when there is no such process, or only its remains that nobody
// has waited for.
func processStamp(pid int) string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The command's name, in parentheses, may hold anything; starttime is
	// field 22, the 20th after it (proc_pid_stat(5)).
	_, rest, _ := strings.Cut(string(stat[strings.LastIndexByte(string(stat), ')'):]), " ")
	fields := strings.Fields(rest)
	if len(fields) < 20 || fields[0] == "Z" {
		return ""
	}
	return strings.TrimSpace(string(boot)) + "/" + fields[19]
}

// childAttributes put a child into a process group of its own, out of reach of
// the terminal's Ctrl-C, and have the kernel end it when this process dies.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
