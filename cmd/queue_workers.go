package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/docsvc/docsvc/pkg/rq"
)

// workerView is one worker as -o json shows it.
type workerView struct {
	Name              string     `json:"name"`
	State             string     `json:"state"`
	Alive             bool       `json:"alive"`
	Docsvc            bool       `json:"docsvc"`
	Queues            []string   `json:"queues"`
	Hostname          string     `json:"hostname"`
	PID               int        `json:"pid"`
	IPAddress         string     `json:"ip_address"`
	Version           string     `json:"version"`
	PythonVersion     string     `json:"python_version"`
	CurrentJob        *string    `json:"current_job"`
	CurrentJobSeconds float64    `json:"current_job_seconds"`
	Birth             *time.Time `json:"birth"`
	LastHeartbeat     *time.Time `json:"last_heartbeat"`
	ShutdownRequested *time.Time `json:"shutdown_requested_at"`
	Successful        int        `json:"successful_jobs"`
	Failed            int        `json:"failed_jobs"`
	WorkingSeconds    float64    `json:"working_seconds"`
	RSS               int64      `json:"rss_bytes"` // docsvc's only
	CPU               float64    `json:"cpu_cores"`
}

func (a *app) queueWorkersCommand() *cobra.Command {
	var out output
	c := &cobra.Command{
		Use: "workers [QUEUE...]", Short: "List the workers, docsvc's and Python's",
		Long: "Lists the workers that listen to one of the queues given, or all of them. dead: its lease has run\n" +
			"out, but its key in Redis has not yet; its job is taken over. It only reads.",
		Args: cobra.ArbitraryArgs,
		RunE: a.withServices(func(ctx context.Context, s *services, args []string) error {
			if _, err := s.queueNames(ctx, args); err != nil {
				return err
			}
			workers, err := s.queue.Workers(ctx)
			if err != nil {
				return s.redisError(err)
			}
			workers = slices.DeleteFunc(workers, func(w rq.WorkerInfo) bool {
				return len(args) > 0 && !slices.ContainsFunc(args, func(q string) bool { return slices.Contains(w.Queues, q) })
			})
			views := make([]workerView, 0, len(workers))
			for _, w := range workers {
				views = append(views, viewWorker(w))
			}
			state, err := s.suspension(ctx)
			if err != nil {
				return err
			}
			return out.print(a.stdout, views, func(w io.Writer) error {
				return errors.Join(printWorkers(w, views), state.write(w))
			})
		}),
	}
	c.ValidArgsFunction = a.completeQueues
	out.add(c)
	return c
}

func viewWorker(w rq.WorkerInfo) workerView {
	moment := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		return &t
	}
	v := workerView{
		Name: w.Name, State: string(w.State), Alive: w.Alive, Docsvc: w.Docsvc, Queues: w.Queues, Hostname: w.Hostname, PID: w.PID,
		IPAddress: w.IPAddress, Version: w.Version, PythonVersion: w.Python, CurrentJobSeconds: w.CurrentWorking.Seconds(),
		Birth: moment(w.Birth), LastHeartbeat: moment(w.LastHeartbeat), ShutdownRequested: moment(w.ShutdownRequested),
		Successful: w.Successful, Failed: w.Failed, WorkingSeconds: w.TotalWorking.Seconds(), RSS: w.RSS, CPU: w.CPU,
	}
	if w.CurrentJob != "" {
		v.CurrentJob = &w.CurrentJob
	}
	if v.Queues == nil {
		v.Queues = []string{}
	}
	return v
}

func printWorkers(w io.Writer, workers []workerView) error {
	if len(workers) == 0 {
		_, err := fmt.Fprintln(w, "no workers; start one with: docsvc worker --all")
		return err
	}
	var rows [][]string
	for _, k := range workers {
		state := k.State
		switch {
		case !k.Alive:
			state = "dead"
		case k.ShutdownRequested != nil:
			state += ", stopping"
		}
		working, rss := "-", "-"
		if k.CurrentJob != nil {
			working = age(time.Duration(k.CurrentJobSeconds * float64(time.Second)))
		}
		if k.RSS > 0 {
			rss = fmt.Sprintf("%.0f MiB", float64(k.RSS)/(1<<20))
		}
		rows = append(rows, []string{k.Name, dash(state), k.Hostname, strconv.Itoa(k.PID), dash(strings.Join(k.Queues, ",")),
			dash(text(k.CurrentJob)), working, strconv.Itoa(k.Successful), strconv.Itoa(k.Failed), rss, when(k.LastHeartbeat), dash(k.Version)})
	}
	return table(w, []string{"WORKER", "STATE", "HOST", "PID", "QUEUES", "JOB", "FOR", "DONE", "FAILED", "MEMORY", "HEARTBEAT", "VERSION"}, rows)
}
