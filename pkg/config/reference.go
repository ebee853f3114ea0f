package config

import (
	"fmt"
	"strings"
)

// Reference is the text of docs/configuration.md: every key, and the
// variables that are read beside the keys.
func Reference() string {
	var b strings.Builder
	b.WriteString("# Configuration\n\n" +
		"Made from the code: `go test ./pkg/config -run Reference -update`.\n\n" +
		"A flag beats the environment, which beats the file, which beats the default. The file is `--config FILE`, else the first of\n" +
		"`" + strings.Join(SearchPath(), "`, `") + "` that exists; [configs/docsvc.yaml](../configs/docsvc.yaml) is one with every key at its default.\n" +
		"`docsvc config print` shows each value and where it came from, `docsvc config check` tries them. An unknown key is an error\n" +
		"that names the nearest one. A change takes effect when the process is started again.\n\n" +
		"Durations are written as `90s`, `15m` or `24h`, sizes in bytes or as `512KiB`, `64MiB`, `5GiB`. Secrets come from files or the\n" +
		"environment, never from flags, and are never printed. An empty variable counts as not set.\n")
	section := ""
	for _, k := range Keys() {
		if s, _, _ := strings.Cut(k.Name, "."); s != section {
			section = s
			fmt.Fprintf(&b, "\n## %s\n\n| key | default | environment | meaning |\n|---|---|---|---|\n", s)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", k.Name, code(k.Default), code(append([]string{EnvName(k.Name)}, otherNames(k)...)...), k.Help)
	}
	b.WriteString("\n## queues\n\n" +
		"A list, in the file only. docsvc's own two are always there; what an entry leaves out keeps its default, and a queue of\n" +
		"another name starts from those of `" + DocumentQueue + "`. `docsvc worker --all` serves every queue in this list.\n\n" +
		"| field | " + DocumentQueue + " | " + CleanupQueue + " | meaning |\n|---|---|---|---|\n")
	rows := queueRows(DefaultQueues())
	for _, row := range rows {
		b.WriteString("| " + strings.Join(row, " | ") + " |\n")
	}
	b.WriteString("\n## Variables of commands\n\n" +
		"Read by `docsvc ingest` and `docsvc documents`, which speak HTTP to a server, and by every command.\n\n" +
		"| variable | meaning |\n|---|---|\n")
	for _, v := range commandVariables() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", v.name, v.help)
	}
	return b.String()
}

func code(values ...string) string {
	var out []string
	for _, v := range values {
		if v != "" {
			out = append(out, "`"+v+"`")
		}
	}
	return strings.Join(out, " ")
}

// queueRows has a row per field of a queue: its name, its value in each queue,
// and what it means.
func queueRows(queues []Queue) [][]string {
	rows := [][]string{{"`timeout`"}, {"`retries`"}, {"`retry_intervals`"}, {"`result_ttl`"}, {"`failure_ttl`"}}
	for _, q := range queues {
		var intervals []string
		for _, d := range q.RetryIntervals {
			intervals = append(intervals, d.String())
		}
		for i, v := range []string{q.Timeout.String(), fmt.Sprint(*q.Retries), "[" + strings.Join(intervals, ", ") + "]", q.ResultTTL.String(), q.FailureTTL.String()} {
			rows[i] = append(rows[i], code(v))
		}
	}
	for i, help := range []string{
		"Longest time of one run of a job.",
		"How often a failure that may pass is tried again, 0 to 100. Outages don't count.",
		"How long to wait before each retry, in whole seconds. With fewer than `retries` the first one repeats.",
		"How long a finished job stays in Redis. The document stays.",
		"How long a failed job stays in Redis. The document stays.",
	} {
		rows[i] = append(rows[i], help)
	}
	return rows
}

type variable struct{ name, help string }

func commandVariables() []variable {
	return []variable{
		{"DOCSVC_SERVER", "Address of the API, e.g. `https://docs.example.org`. Without it: the `serve --standalone` of this directory, else `http://127.0.0.1:8000`. `--server` beats it."},
		{"DOCSVC_API_KEY", "API key to send to it."},
		{"DOCSVC_API_KEY_FILE", "File with that key on its first line. (For `docsvc serve` the same variable names the file of all keys, `server.api_key_file`.)"},
		{"NO_COLOR", "Set to anything: no colours."},
	}
}
