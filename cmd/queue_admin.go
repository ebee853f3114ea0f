package cmd

import (
	"bufio"
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

// suspension is the answer of suspend and resume.
type suspension struct {
	Suspended bool       `json:"suspended"`
	Until     *time.Time `json:"until"` // null: until resume
}

func (a *app) queueSuspendCommand() *cobra.Command {
	var out output
	var duration string
	c := &cobra.Command{
		Use: "suspend", Short: "Keep all workers from starting jobs", Args: noArgs,
		Long: "Sets RQ's flag: no worker on this Redis, docsvc's or Python's, starts another job; those that run\n" +
			"go on, and producers go on enqueueing. It stands until docsvc queue resume, or for --duration.",
		RunE: a.withServices(func(ctx context.Context, s *services, _ []string) error {
			if err := out.check(); err != nil {
				return err
			}
			var d time.Duration
			if duration != "" {
				var err error
				if d, err = rq.ParseSeconds(duration); err != nil || d < time.Second {
					return &usageError{message: fmt.Sprintf("--duration %s is not at least a second", duration), hint: "e.g. --duration 90, --duration 10m"}
				}
			}
			if err := s.queue.Suspend(ctx, d); err != nil {
				return s.redisError(err)
			}
			return a.printSuspension(ctx, s, &out)
		}),
	}
	c.Flags().StringVar(&duration, "duration", "", "for how long, such as 90 (seconds) or 10m (default: until resume)")
	out.add(c)
	return c
}

func (a *app) queueResumeCommand() *cobra.Command {
	var out output
	c := &cobra.Command{
		Use: "resume", Short: "Let suspended workers start jobs again", Args: noArgs,
		RunE: a.withServices(func(ctx context.Context, s *services, _ []string) error {
			if err := out.check(); err != nil {
				return err
			}
			stood, err := s.queue.Resume(ctx)
			if err != nil {
				return s.redisError(err)
			}
			return out.print(a.stdout, suspension{}, func(w io.Writer) error {
				line := "workers start jobs again"
				if !stood {
					line = "workers were not suspended"
				}
				_, err := fmt.Fprintln(w, line)
				return err
			})
		}),
	}
	out.add(c)
	return c
}

// printSuspension tells whether workers are suspended.
func (a *app) printSuspension(ctx context.Context, s *services, out *output) error {
	state, err := s.suspension(ctx)
	if err != nil {
		return err
	}
	return out.print(a.stdout, state, func(w io.Writer) error { return state.write(w) })
}

func (s *services) suspension(ctx context.Context) (suspension, error) {
	on, left, err := s.queue.Suspension(ctx)
	if err != nil {
		return suspension{}, s.redisError(err)
	}
	state := suspension{Suspended: on}
	if on && left > 0 {
		until := time.Now().Add(left).UTC().Truncate(time.Second)
		state.Until = &until
	}
	return state, nil
}

// write says in a line that workers are suspended, nothing when they aren't.
func (s suspension) write(w io.Writer) error {
	if !s.Suspended {
		return nil
	}
	until := ""
	if s.Until != nil {
		until = " until " + when(s.Until)
	}
	_, err := fmt.Fprintf(w, "workers are suspended%s and start no jobs; end it with: docsvc queue resume\n", until)
	return err
}

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

// queueEmptied is what empty did with one queue.
type queueEmptied struct {
	Queue   string `json:"queue"`
	Removed int    `json:"removed"` // jobs
	Dropped int    `json:"dropped"` // entries without a waiting job
}

func (a *app) queueEmptyCommand() *cobra.Command {
	var out output
	var yes bool
	c := &cobra.Command{
		Use: "empty QUEUE...", Short: "Delete the jobs that wait in a queue", Args: argsBetween(1, -1),
		Long: "Deletes the jobs that wait in a queue now, as rq empty does. Scheduled, deferred and running jobs stay.\n" +
			"Documents whose job it was become canceled; processing them again makes a new job.\n" +
			"Asks first; where nobody can be asked it needs --yes.",
	}
	c.RunE = a.withServices(func(ctx context.Context, s *services, args []string) error {
		if err := out.check(); err != nil {
			return err
		}
		if _, err := s.queueNames(ctx, args); err != nil {
			return err
		}
		if err := a.confirmEmpty(ctx, c, s, args, yes); err != nil {
			return err
		}
		done := make([]queueEmptied, 0, len(args))
		var failed error
		for _, q := range args {
			e, err := s.queue.Empty(ctx, q)
			done = append(done, queueEmptied{q, e.Removed, e.Dropped})
			if err != nil {
				failed = s.redisError(err)
				break
			}
		}
		return errors.Join(failed, out.print(a.stdout, done, func(w io.Writer) error {
			for _, d := range done {
				line := fmt.Sprintf("%d jobs removed from %s", d.Removed, d.Queue)
				if d.Dropped > 0 {
					line += fmt.Sprintf(", and %d entries without a waiting job", d.Dropped)
				}
				if _, err := fmt.Fprintln(w, line); err != nil {
					return err
				}
			}
			return nil
		}))
	})
	c.Flags().BoolVarP(&yes, "yes", "y", false, "don't ask")
	c.ValidArgsFunction = a.completeQueues
	out.add(c)
	return c
}

// confirmEmpty asks on a terminal, unless there is nothing to remove.
func (a *app) confirmEmpty(ctx context.Context, c *cobra.Command, s *services, queues []string, yes bool) error {
	info, err := s.queue.QueueInfo(ctx, queues)
	if err != nil {
		return s.redisError(err)
	}
	jobs := 0
	for _, q := range info {
		jobs += q.Length
	}
	if yes || jobs == 0 {
		return nil
	}
	what := fmt.Sprintf("%d waiting jobs of %s", jobs, strings.Join(queues, ", "))
	if !terminal(c.InOrStdin()) {
		return &usageError{message: "this would delete " + what, hint: "say so with --yes"}
	}
	return a.confirm(c.InOrStdin(), "Delete "+what+"?")
}

// errDeclined says that somebody was asked and did not agree.
var errDeclined = errors.New("nothing was done")

// confirm asks a question on stderr.
func (a *app) confirm(in io.Reader, question string) error {
	fmt.Fprintf(a.stderr, "%s [y/N] ", question)
	answer, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading the answer: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errDeclined
}

func (a *app) queueDeleteCommand() *cobra.Command {
	var out output
	var dependents bool
	c := &cobra.Command{
		Use: "delete ID...", Short: "Delete jobs in any state", Args: argsBetween(1, -1),
		Long: "Deletes jobs, with their place in queue and registries; results stay until they expire, as with RQ.\n" +
			"The document of a job that waits or runs becomes canceled; one that has ended stays as it is.\n" +
			"A running job is taken from its worker. A Python worker writes it again at its end: stop it first.",
		RunE: a.withServices(func(ctx context.Context, s *services, args []string) error {
			return a.eachJob(&out, args, func(id string) (jobChange, error) {
				job, err := s.queue.Delete(ctx, id, dependents)
				if err != nil {
					return jobChange{}, s.jobError(id, err)
				}
				return jobChange{Queue: job.Queue, line: fmt.Sprintf("%s deleted, it was %s", id, job.Status)}, nil
			})
		}),
	}
	c.Flags().BoolVar(&dependents, "delete-dependents", false, "also the jobs that wait for it")
	out.add(c)
	return c
}
