package worker

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/docsvc/docsvc/pkg/rq"
)

// birth describes this process under one name. The boot id tells a rebooted
// host from one whose process numbers have come round; only Linux has it.
func birth(name string, c Config) rq.WorkerBirth {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		boot = nil
	}
	return rq.WorkerBirth{Name: name, Queues: c.Queues, Host: hostname(), BootID: strings.TrimSpace(string(boot)),
		PID: os.Getpid(), Started: processStart(), Version: c.Version}
}

// processStart is when this process started, counted from the boot of the
// machine, so that setting the clock changes nothing. In a container every
// process in turn has the same number, and only this tells one from the next.
// It is zero where /proc doesn't say.
func processStart() time.Time {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return time.Time{}
	}
	// The command's name, in parentheses, may hold anything; starttime is
	// field 22, the 20th after it, in ticks of 10 ms (proc_pid_stat(5)).
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 20 {
		return time.Time{}
	}
	ticks, err := strconv.ParseInt(fields[19], 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(10 * ticks)
}

// buildVersion is the module's version that this binary was built from.
func buildVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

func hostname() string {
	host, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return host
}
