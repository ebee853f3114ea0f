package config

import (
	"fmt"
	"strings"
)

// Sample is the text of configs/docsvc.yaml: every key at its default,
// commented out and explained.
func Sample() string {
	var b strings.Builder
	b.WriteString(`# docsvc configuration. Found as ./docsvc.yaml, /etc/docsvc/docsvc.yaml or --config FILE.
# Every key is shown at its default; remove the "#" of the ones you change.
# A flag beats the environment (DOCSVC_<SECTION>_<KEY>), which beats this file.
# "docsvc config print" shows what is in force and where it came from,
# "docsvc config check" tries it.
`)
	section := ""
	for _, k := range Keys() {
		s, field, _ := strings.Cut(k.Name, ".")
		if s != section {
			section = s
			fmt.Fprintf(&b, "\n#%s:\n", s)
		}
		fmt.Fprintf(&b, "#  # %s\n#  # Environment: %s\n", k.Help, strings.Join(append([]string{EnvName(k.Name)}, otherNames(k)...), ", "))
		value := k.Default
		if value == "" || strings.ContainsAny(value, ":#") && !strings.Contains(value, "//") {
			value = fmt.Sprintf("%q", value)
		}
		fmt.Fprintf(&b, "#  %s: %s\n", field, value)
	}
	b.WriteString("\n# Queues: docsvc's own two, and any others that workers with --all shall serve.\n#queues:\n")
	for _, q := range DefaultQueues() {
		var intervals []string
		for _, d := range q.RetryIntervals {
			intervals = append(intervals, d.String())
		}
		fmt.Fprintf(&b, "#  - name: %s\n#    timeout: %s # of one run\n#    retries: %d # after a failure that may pass\n#    retry_intervals: [%s]\n#    result_ttl: %s # of a finished job\n#    failure_ttl: %s # of a failed job\n",
			q.Name, q.Timeout, *q.Retries, strings.Join(intervals, ", "), q.ResultTTL, q.FailureTTL)
	}
	return b.String()
}

func otherNames(k Key) []string {
	var names []string
	for _, n := range k.Env {
		if n != EnvName(k.Name) {
			names = append(names, n)
		}
	}
	return names
}
