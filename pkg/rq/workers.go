package rq

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

// WorkerState is the state field of a worker hash.
type WorkerState string

// The states (rq/worker/base.py, WorkerStatus).
const (
	WorkerStarted   WorkerState = "started"
	WorkerIdle      WorkerState = "idle"
	WorkerBusy      WorkerState = "busy"
	WorkerSuspended WorkerState = "suspended"
)

// WorkerInfo is a worker hash as read, docsvc's or Python's.
type WorkerInfo struct {
	Name              string
	State             WorkerState
	Queues            []string
	Hostname          string
	PID               int
	IPAddress         string
	Version           string
	Python            string // python_version, as written
	CurrentJob        string
	CurrentWorking    time.Duration
	Birth             time.Time
	LastHeartbeat     time.Time
	ShutdownRequested time.Time
	Successful        int
	Failed            int
	TotalWorking      time.Duration
	Docsvc            bool    // registered by this package
	Alive             bool    // docsvc: its lease holds; others: its key exists
	RSS               int64   // bytes; docsvc only
	CPU               float64 // cores; docsvc only
}

// WorkerBirth registers one worker name.
type WorkerBirth struct {
	Name    string
	Queues  []string // in listening order
	Host    string
	BootID  string // of the running kernel, "" when unknown
	PID     int
	Started time.Time // of the process; tells it from an earlier one of the same PID
	Version string
}

// Workers reads all workers in rq:workers whose key exists, sorted by name.
func (c *Client) Workers(ctx context.Context) ([]WorkerInfo, error) {
	members, err := c.rdb.SMembers(ctx, keyWorkers).Result()
	if err != nil {
		return nil, fmt.Errorf("listing workers: %w", named(err, keyWorkers))
	}
	var names []string
	for _, m := range members {
		if w, ok := strings.CutPrefix(m, prefixWorker); ok && w != "" {
			names = append(names, w)
		}
	}
	slices.Sort(names)
	hashes, slots := make([]*redis.MapStringStringCmd, len(names)), make([]*redis.MapStringStringCmd, len(names))
	var clock *redis.TimeCmd
	_, err = c.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		clock = p.Time(ctx)
		for i, w := range names {
			hashes[i], slots[i] = p.HGetAll(ctx, keyWorker(w)), p.HGetAll(ctx, c.keySlot(w))
		}
		return nil
	})
	if err != nil && !redis.HasErrorPrefix(err, "WRONGTYPE") {
		return nil, fmt.Errorf("reading workers: %w", err)
	}
	now := clock.Val()
	if c.fixedTime != nil {
		now = c.fixedTime()
	}
	var out []WorkerInfo
	for i, w := range names {
		if h := hashes[i].Val(); len(h) > 0 {
			out = append(out, decodeWorker(w, h, slots[i].Val(), now))
		}
	}
	return out, nil
}

func decodeWorker(name string, h, slot map[string]string, now time.Time) WorkerInfo {
	at := func(f string) time.Time {
		t, _ := parseStamp(h[f])
		return t
	}
	num := func(m map[string]string, f string) int {
		n, _ := parseInt(m[f])
		return n
	}
	secs := func(f string) time.Duration {
		x, _ := strconv.ParseFloat(h[f], 64)
		return time.Duration(x * float64(time.Second))
	}
	w := WorkerInfo{
		Name: name, State: WorkerState(h["state"]), Hostname: h["hostname"], PID: num(h, "pid"),
		IPAddress: h["ip_address"], Version: h["version"], Python: h["python_version"], CurrentJob: h["current_job"],
		CurrentWorking: secs("current_job_working_time"), Birth: at("birth"), LastHeartbeat: at("last_heartbeat"),
		ShutdownRequested: at("shutdown_requested_date"), Successful: num(h, "successful_job_count"),
		Failed: num(h, "failed_job_count"), TotalWorking: secs("total_working_time"), Alive: h["death"] == "",
	}
	if h["queues"] != "" {
		w.Queues = strings.Split(h["queues"], ",")
	}
	if slot["token"] != "" {
		lease, _ := strconv.ParseInt(slot["lease"], 10, 64)
		w.Docsvc, w.Alive = true, w.Alive && time.UnixMilli(lease).After(now)
		w.RSS = int64(num(slot, "rss"))
		w.CPU, _ = strconv.ParseFloat(slot["cpu"], 64)
	}
	return w
}

// RegisterWorkers registers all names or none. A name is taken over when its
// lease has run out or its process is dead on this same host and boot, else
// *NameTakenError. The state is then WorkerStarted.
func (c *Client) RegisterWorkers(ctx context.Context, births []WorkerBirth) error {
	dead, err := c.deadTokens(ctx, births)
	if err != nil {
		return fmt.Errorf("registering workers: %w", err)
	}
	keys, t := []string{keyWorkers}, c.tape().str(c.token).list(dead).num(int64(len(births)))
	for _, b := range births {
		keys = append(keys, keyWorker(b.Name), c.keySlot(b.Name))
		t.str(b.Name).list(b.Queues).list(b.fields()).list(b.slotFields())
	}
	r, err := c.run(ctx, call{scriptRegister, keys, t})
	if err != nil {
		return fmt.Errorf("registering workers: %w", err)
	}
	switch r.at(0).text() {
	case "alive":
		return &NameTakenError{Name: r.at(1).text(), Host: r.at(2).text(), PID: r.at(3).int()}
	case "type":
		return fmt.Errorf("registering workers: %w", &KeyError{r.at(1).text()})
	}
	c.slots.mu.Lock()
	defer c.slots.mu.Unlock()
	if c.slots.births == nil {
		c.slots.births = map[string]WorkerBirth{}
	}
	for _, b := range births {
		c.slots.births[b.Name] = b
	}
	return nil
}

// registerAgain writes the hashes of workers that expired, or were given to
// another process, while Redis or this process could not be reached.
func (c *Client) registerAgain(ctx context.Context, names []string) error {
	c.slots.mu.Lock()
	var births []WorkerBirth
	for _, n := range names {
		if b, ok := c.slots.births[n]; ok {
			births = append(births, b)
		}
	}
	c.slots.mu.Unlock()
	if len(births) == 0 {
		return nil
	}
	c.o.Log.Warn().Strs("workers", names).Msg("worker keys had expired or were another process's: registering again")
	_, err := c.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, b := range births {
			p.HSet(ctx, keyWorker(b.Name), append(b.fields(), "birth", stamp(c.o.Clock())))
			p.HSet(ctx, c.keySlot(b.Name), b.slotFields())
			p.SAdd(ctx, keyWorkers, keyWorker(b.Name))
			for _, q := range b.Queues {
				p.SAdd(ctx, keyWorkersOf(q), keyWorker(b.Name))
			}
		}
		return nil
	})
	return err
}

// fields are those of the RQ hash that the script does not write itself.
// Python's tools only show version and python_version.
func (b WorkerBirth) fields() []string {
	return []string{
		"queues", strings.Join(b.Queues, ","), "pid", strconv.Itoa(b.PID), "hostname", b.Host,
		"ip_address", "unknown", "version", b.Version, "python_version", "docsvc, " + runtime.Version(),
	}
}

// deadTokens looks which of the names are held by a process of this host and
// boot that no longer exists. An unknown boot id never matches.
func (c *Client) deadTokens(ctx context.Context, births []WorkerBirth) ([]string, error) {
	cmds := make([]*redis.SliceCmd, len(births))
	_, err := c.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, b := range births {
			cmds[i] = p.HMGet(ctx, c.keySlot(b.Name), "token", "host", "boot", "pid", "started")
		}
		return nil
	})
	if err != nil && !redis.HasErrorPrefix(err, "WRONGTYPE") {
		return nil, err
	}
	var dead []string
	for i, b := range births {
		f := cmds[i].Val()
		if len(f) != 5 || b.BootID == "" || f[1] != b.Host || f[2] != b.BootID {
			continue
		}
		token, _ := f[0].(string)
		pid, _ := f[3].(string)
		started, _ := f[4].(string)
		if n, err := strconv.Atoi(pid); err == nil && n > 0 && b.outlived(n, started) {
			dead = append(dead, token)
		}
	}
	return dead, nil
}

// slotFields are those of our slot hash that tell processes apart.
func (b WorkerBirth) slotFields() []string {
	return []string{"host", b.Host, "boot", b.BootID, "pid", strconv.Itoa(b.PID), "started", b.startText()}
}

// startText is when the process started, "" when unknown.
func (b WorkerBirth) startText() string {
	if b.Started.IsZero() {
		return ""
	}
	return strconv.FormatInt(b.Started.UnixMilli(), 10)
}

// outlived reports whether the process of that pid and start, on the host and
// boot of b, is gone. In a container every process in turn may have pid 1.
func (b WorkerBirth) outlived(pid int, started string) bool {
	if pid == b.PID {
		return started != "" && b.startText() != "" && started != b.startText()
	}
	return !processExists(pid)
}

// processExists asks the kernel with signal 0. A process that may not be
// signalled exists; one that has ended and that nobody has waited for yet
// doesn't, though it can still be signalled.
func processExists(pid int) bool {
	if err := syscall.Kill(pid, 0); err != nil && !errors.Is(err, syscall.EPERM) {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true // no /proc here
	}
	// The state follows the command's name in parentheses (proc_pid_stat(5)).
	_, state, _ := strings.Cut(string(stat[bytes.LastIndexByte(stat, ')')+1:]), " ")
	return !strings.HasPrefix(state, "Z") && !strings.HasPrefix(state, "X")
}

// SetWorkerState writes the state that RQ's tools show for the names. Idle
// also says that they have no current job.
func (c *Client) SetWorkerState(ctx context.Context, state WorkerState, names []string) error {
	return c.setState(ctx, string(state), false, names)
}

// WorkerShutdownRequested writes shutdown_requested_date for the names.
func (c *Client) WorkerShutdownRequested(ctx context.Context, names []string) error {
	return c.setState(ctx, "", true, names)
}

func (c *Client) setState(ctx context.Context, state string, shutdown bool, names []string) error {
	keys := make([]string, len(names))
	for i, w := range names {
		keys[i] = keyWorker(w)
	}
	_, err := c.run(ctx, call{scriptState, keys, c.tape().str(state).flag(shutdown).list(names)})
	if err != nil {
		return fmt.Errorf("writing worker state: %w", err)
	}
	return nil
}

// UnregisterWorkers writes the workers' death as RQ does. Names that another
// process has taken over are left alone.
func (c *Client) UnregisterWorkers(ctx context.Context, names []string) error {
	keys := []string{keyWorkers}
	for _, w := range names {
		keys = append(keys, keyWorker(w), c.keySlot(w))
	}
	if _, err := c.run(ctx, call{scriptUnregister, keys, c.tape().str(c.token).list(names)}); err != nil {
		return fmt.Errorf("unregistering workers: %w", err)
	}
	return nil
}
