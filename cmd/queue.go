package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/docsvc/docsvc/pkg/rq"
)

// errNoQueue says that a queue is neither configured nor known to Redis.
var errNoQueue = errors.New("no such queue")

func (a *app) queueCommand() *cobra.Command {
	return group("queue", "Look at the queue and act on its jobs",
		a.queueInfoCommand(), a.queueHealthCommand(), a.queueJobCommand(), a.queueListCommand(),
		a.queueRetryCommand(), a.queueCancelCommand(), a.queueStopCommand(), a.queueDeleteCommand(),
		a.queueEnqueueCommand(), a.queueEmptyCommand(), a.queueSuspendCommand(), a.queueResumeCommand(), a.queueWorkersCommand(),
		a.queueFsckCommand(), a.queueExplainCommand())
}

// queueCounts is a queue as the guide's API shows it.
type queueCounts struct {
	Name      string `json:"name"`
	Length    int    `json:"length"`
	Failed    int    `json:"failed_count"`
	Started   int    `json:"started_count"`
	Finished  int    `json:"finished_count"`
	Deferred  int    `json:"deferred_count"`
	Scheduled int    `json:"scheduled_count"`
	Canceled  int    `json:"canceled_count"`
	Workers   int    `json:"workers"`
	OldestAge int    `json:"oldest_job_age_seconds"`
}

func printQueues(w io.Writer, info []rq.QueueInfo, workers []rq.WorkerInfo) error {
	var rows [][]string
	for _, q := range info {
		row := []string{q.Name}
		for _, n := range []int{q.Length, q.Started, q.Finished, q.Failed, q.Deferred, q.Scheduled, q.Canceled, q.Workers} {
			row = append(row, strconv.Itoa(n))
		}
		rows = append(rows, append(row, age(q.OldestAge)))
	}
	head := []string{"QUEUE", "QUEUED", "STARTED", "FINISHED", "FAILED", "DEFERRED", "SCHEDULED", "CANCELED", "WORKERS", "OLDEST"}
	if err := table(w, head, rows); err != nil {
		return err
	}
	if len(workers) == 0 {
		_, err := fmt.Fprintln(w, "\nno workers; start one with: docsvc worker --all")
		return err
	}
	rows = nil
	for _, k := range workers {
		state := string(k.State)
		if !k.Alive {
			state = "dead"
		}
		rows = append(rows, []string{k.Name, state, k.Hostname, strconv.Itoa(k.PID), strings.Join(k.Queues, ","),
			dash(k.CurrentJob), strconv.Itoa(k.Successful), strconv.Itoa(k.Failed)})
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	return table(w, []string{"WORKER", "STATE", "HOST", "PID", "QUEUES", "JOB", "DONE", "FAILED"}, rows)
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// queueNames are the queues a command is about: those given, which must be
// configured or known to Redis, or all of them, the configured ones first.
func (s *services) queueNames(ctx context.Context, given []string) ([]string, error) {
	known, err := s.queue.QueueNames(ctx)
	if err != nil {
		return nil, s.redisError(err)
	}
	all := s.config.QueueNames()
	for _, name := range known {
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	if len(given) == 0 {
		return all, nil
	}
	for _, name := range given {
		if !slices.Contains(all, name) {
			return nil, fmt.Errorf("%w: %q; there are %s", errNoQueue, name, strings.Join(all, ", "))
		}
	}
	return given, nil
}

// completeQueues offers queue names to a shell, from Redis when it answers.
func (a *app) completeQueues(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	s, err := a.open(c)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer s.close()
	names, err := s.queueNames(c.Context(), nil)
	if err != nil {
		names = s.config.QueueNames()
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
