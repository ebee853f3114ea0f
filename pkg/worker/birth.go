package worker

import (
	"os"
	"runtime/debug"
	"strings"

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
		PID: os.Getpid(), Version: c.Version}
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
