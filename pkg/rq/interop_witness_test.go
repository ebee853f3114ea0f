package rq_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq"
)

// The witnesses are tools of others that read RQ's keys: what they show of
// queues that docsvc runs must be what docsvc shows. make interop fetches them.

// witnessed is a Redis in which docsvc has jobs in every state.
type witnessed struct {
	*interop
	server *redistest.Server
	jobs   map[rq.Registry]string // one job of each registry of the first queue
}

func witness(t *testing.T) *witnessed {
	t.Helper()
	t.Parallel()
	l := openLane(t, redistest.Python(t), redistest.RedisServer)
	r := l.fresh(t, docsvc, docsvc)
	w := &witnessed{interop: r, server: l.server, jobs: map[rq.Registry]string{}}
	ctx := t.Context()
	add := func(reg rq.Registry, s rq.Spec) {
		s.Func, s.Queue, s.Meta = "docsvc.process", interopQueue, map[string]any{"document": s.ID}
		if _, err := r.client.Enqueue(ctx, s); err != nil {
			t.Fatal(err)
		}
		w.jobs[reg] = s.ID
	}
	r.register("w.1", "w.2")
	r.must(r.client.SetWorkerState(ctx, rq.WorkerIdle, []string{"w.1", "w.2"}))
	add(rq.RegistryFinished, rq.Spec{ID: "done", Args: []any{map[string]any{"path": "a b"}}})
	add(rq.RegistryFailed, rq.Spec{ID: "broken", Serializer: rq.Pickle})
	got := r.claim("w.1", "w.2")
	r.finish(rq.Outcome{Execution: got[0].Execution, Job: got[0].Job, Kind: rq.OutcomeFinish, Result: map[string]any{"pages": 3}},
		rq.Outcome{Execution: got[1].Execution, Job: got[1].Job, Kind: rq.OutcomeFail, Error: "the file <b> is broken"})
	add(rq.RegistryStarted, rq.Spec{ID: "at-work", Args: []any{"x"}})
	r.claim("w.2")
	for i := range 3 {
		add(rq.RegistryQueued, rq.Spec{ID: fmt.Sprintf("waiting-%d", i), Args: []any{i}})
	}
	add(rq.RegistryScheduled, rq.Spec{ID: "later", At: time.Now().Add(time.Hour)})
	add(rq.RegistryCanceled, rq.Spec{ID: "unwanted"})
	if _, err := r.client.Cancel(ctx, "unwanted"); err != nil {
		t.Fatal(err)
	}
	r.producer = python
	r.enqueue(enqueueing{ID: "child", Func: "tasks.add", DependsOn: []string{"at-work"}})
	w.jobs[rq.RegistryDeferred] = "child"
	if _, err := r.client.Enqueue(ctx, rq.Spec{ID: "elsewhere", Queue: "other", Func: "f"}); err != nil {
		t.Fatal(err)
	}
	return w
}

// info is what docsvc counts.
func (w *witnessed) info() map[string]map[rq.Registry]int {
	w.t.Helper()
	counts, err := w.client.QueueInfo(w.t.Context(), []string{interopQueue, "other"})
	w.must(err)
	out := map[string]map[rq.Registry]int{}
	for _, q := range counts {
		out[q.Name] = map[rq.Registry]int{
			rq.RegistryQueued: q.Length, rq.RegistryStarted: q.Started, rq.RegistryFinished: q.Finished, rq.RegistryFailed: q.Failed,
			rq.RegistryDeferred: q.Deferred, rq.RegistryScheduled: q.Scheduled, rq.RegistryCanceled: q.Canceled,
		}
	}
	return out
}

// run starts a tool that serves HTTP and returns its address.
func (w *witnessed) run(name string, arg ...string) string {
	w.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	w.must(err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	w.must(err)
	w.must(l.Close())
	var output bytes.Buffer
	cmd := exec.Command(name, append(arg, "--port", port)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "PYTHONDONTWRITEBYTECODE=1", "PYTHONUTF8=1", "TZ=UTC", "HOME=" + w.t.TempDir()}
	cmd.Stdout, cmd.Stderr = &output, &output
	w.must(cmd.Start())
	w.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if w.t.Failed() {
			w.t.Logf("%s: %s", filepath.Base(name), output.String())
		}
	})
	waitFor(w.t, func() bool {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	return "http://127.0.0.1:" + port
}

func (w *witnessed) get(method, url string) (body []byte, status int) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, url, nil)
	w.must(err)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	w.must(err)
	body, err = io.ReadAll(res.Body)
	w.must(err)
	w.must(res.Body.Close())
	w.t.Logf("%s %s: %d, %d bytes", method, req.URL.Path, res.StatusCode, len(body))
	return body, res.StatusCode
}

// page gets a page, which must be there.
func (w *witnessed) page(method, url string, into any) string {
	w.t.Helper()
	body, status := w.get(method, url)
	if status != http.StatusOK {
		w.t.Errorf("%s %s: %d", method, url, status)
		return ""
	}
	if into != nil {
		w.must(json.Unmarshal(body, into))
	}
	return string(body)
}

func TestRQInfo(t *testing.T) {
	w := witness(t)
	counts := w.info()
	for _, c := range []struct {
		args []string
		want []string
	}{
		{nil, []string{"default      |███ 3, 1 executing, 1 finished, 1 failed", "other        |█ 1, 0 executing, 0 finished, 0 failed", "2 queues, 4 jobs total",
			"w.1 (here None 7): idle default, other. jobs: 1 finished, 0 failed", "w.2 (here None 8): busy default, other. jobs: 0 finished, 1 failed", "2 workers, 2 queues"}},
		{[]string{"--raw"}, []string{fmt.Sprintf("queue default %d, %d executing, %d finished, %d failed", counts["default"][rq.RegistryQueued],
			counts["default"][rq.RegistryStarted], counts["default"][rq.RegistryFinished], counts["default"][rq.RegistryFailed])}},
		{[]string{"--only-queues"}, []string{"2 queues, 4 jobs total"}},
		{[]string{"--only-workers"}, []string{"2 workers, 2 queues"}},
		{[]string{"--by-queue"}, []string{"default: w.1 (idle), w.2 (busy)"}},
	} {
		out := w.rqCLI(append([]string{"info"}, c.args...)...)
		plain := regexp.MustCompile(`\x1b\[[0-9;]*m`).ReplaceAllString(out, "")
		for _, want := range c.want {
			// The address is "unknown" or left out, and sets have no order.
			if !containsLoosely(plain, want) {
				t.Errorf("rq info %v: no %q in\n%s", c.args, want, plain)
			}
		}
	}
	if after := w.info(); !maps.EqualFunc(counts, after, maps.Equal) {
		t.Errorf("rq info changed %v to %v", counts, after)
	}
}

// containsLoosely looks for the words of want in a line of text, in any order.
func containsLoosely(text, want string) bool {
	words := strings.Fields(strings.ReplaceAll(want, "None", ""))
	return slices.ContainsFunc(strings.Split(text, "\n"), func(line string) bool {
		return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(line, strings.Trim(word, ",")) })
	})
}

// shownWorker is a worker as rq-dashboard shows it.
type shownWorker struct {
	Name, State string
	PID         int
	Queues      []string
	Current     any `json:"current_job"`
	Successful  int `json:"successful_job_count"`
	Failed      int `json:"failed_job_count"`
}

func TestDashboard(t *testing.T) {
	bin := redistest.NamedPython(t, "dashboard")
	w := witness(t)
	at := w.run(bin, "-m", "rq_dashboard", "--bind", "127.0.0.1", "--redis-url", w.server.URL)

	pages := []string{"/", "/0/view", "/0/view/queues", "/0/view/workers", "/0/view/jobs"}
	for reg, id := range w.jobs {
		pages = append(pages, fmt.Sprintf("/0/view/jobs/default/%s/8/asc/1", reg), "/0/view/job/"+id)
	}
	for _, p := range pages {
		w.page("GET", at+p, nil)
	}

	var queues struct{ Queues []map[string]any }
	w.page("GET", at+"/0/data/queues.json", &queues)
	counts := w.info()
	if len(queues.Queues) != len(counts) {
		t.Errorf("it shows %d queues", len(queues.Queues))
	}
	for _, q := range queues.Queues {
		t.Logf("it shows of %s what we do: %v", q["name"], counts[q["name"].(string)])
		for reg, n := range counts[q["name"].(string)] {
			field := string(reg) + "_job_registry_count"
			if reg == rq.RegistryQueued {
				field = "count"
			}
			if q[field] != float64(n) {
				t.Errorf("%s of %s is %v, want %d", field, q["name"], q[field], n)
			}
		}
	}

	var workers struct{ Workers []shownWorker }
	w.page("GET", at+"/0/data/workers.json", &workers)
	ours, err := w.client.Workers(t.Context())
	w.must(err)
	if len(workers.Workers) != len(ours) {
		t.Fatalf("it shows %d workers, we have %d", len(workers.Workers), len(ours))
	}
	for _, o := range ours {
		i := slices.IndexFunc(workers.Workers, func(x shownWorker) bool { return x.Name == o.Name })
		if i < 0 {
			t.Errorf("it does not show %s", o.Name)
			continue
		}
		x := workers.Workers[i]
		current, _ := x.Current.(map[string]any)
		if x.PID != o.PID || !slices.Equal(x.Queues, o.Queues) || x.Successful != o.Successful || x.Failed != o.Failed ||
			!strings.Contains(strings.ToLower(x.State), string(o.State)) || (o.CurrentJob != "" && current["job_id"] != o.CurrentJob) {
			t.Errorf("it shows %+v, we have %+v", x, o)
		}
	}

	for reg, id := range w.jobs {
		var list struct {
			Jobs []struct{ ID, Description string }
		}
		for _, order := range []string{"asc", "dsc"} {
			w.page("GET", at+fmt.Sprintf("/0/data/jobs/default/%s/8/%s/1.json", reg, order), &list)
			if len(list.Jobs) != counts["default"][reg] || !slices.ContainsFunc(list.Jobs, func(j struct{ ID, Description string }) bool { return j.ID == id }) {
				t.Errorf("%s jobs are %+v, want %d with %s", reg, list.Jobs, counts["default"][reg], id)
			}
		}
		if id == "child" {
			// It fails on any job with dependencies: it decodes text.
			if _, status := w.get("GET", at+"/0/data/job/child.json"); status != http.StatusInternalServerError {
				t.Errorf("a job with dependencies: %d; docs/rq-compatibility.md says otherwise", status)
			}
			continue
		}
		var job struct {
			Status, Origin, Description string
			Exc                         string `json:"exc_info"`
			Result                      any
			Metadata                    string
		}
		w.page("GET", at+"/0/data/job/"+id+".json", &job)
		j, err := w.client.Job(t.Context(), id)
		w.must(err)
		if !strings.Contains(strings.ToLower(job.Status), string(j.Status)) || job.Origin != j.Queue || job.Description != j.Description ||
			job.Metadata != fmt.Sprintf(`{"document": %q}`, id) {
			t.Errorf("it shows %+v, we have %+v", job, j)
		}
		if reg == rq.RegistryFailed && job.Exc != "the file <b> is broken" {
			t.Errorf("it shows the error %q", job.Exc)
		}
		if reg == rq.RegistryFinished && fmt.Sprint(job.Result) != "map[pages:3]" {
			t.Errorf("it shows the result %v", job.Result)
		}
	}

	// Its buttons.
	w.page("POST", at+"/job/broken/requeue", nil)
	w.page("POST", at+"/job/later/delete", nil)
	w.page("POST", at+"/queue/default/compact", nil)
	if got := w.status("broken"); got != rq.StatusQueued {
		t.Errorf("requeued there, the job is %s", got)
	}
	if n := w.info()["default"]; n[rq.RegistryScheduled] != 0 || n[rq.RegistryQueued] != 4 {
		t.Errorf("after requeue and delete there: %v", n)
	}
	w.page("POST", at+"/queue/default/queued/empty", nil)
	if got := w.info()["default"][rq.RegistryQueued]; got != 0 {
		t.Errorf("emptied there, the queue has %d", got)
	}
}

func TestExporter(t *testing.T) {
	bin := redistest.NamedPython(t, "exporter")
	w := witness(t)
	at := w.run(filepath.Join(filepath.Dir(bin), "rq-exporter"), "--host", "127.0.0.1", "--redis-url", w.server.URL)
	text := w.page("GET", at+"/metrics", nil)
	metrics := map[string]float64{}
	for _, m := range regexp.MustCompile(`(?m)^(rq_\w+\{.*\}) (\S+)$`).FindAllStringSubmatch(text, -1) {
		v, err := strconv.ParseFloat(m[2], 64)
		w.must(err)
		metrics[m[1]] = v
	}
	want := map[string]float64{}
	for q, counts := range w.info() {
		for reg, n := range counts {
			if reg != rq.RegistryCanceled {
				want[fmt.Sprintf("rq_jobs{queue=%q,status=%q}", q, reg)] = float64(n)
			}
		}
	}
	workers, err := w.client.Workers(t.Context())
	w.must(err)
	for _, o := range workers {
		queues := strings.Join(o.Queues, ",")
		want[fmt.Sprintf("rq_workers{name=%q,queues=%q,state=%q}", o.Name, queues, o.State)] = 1
		want[fmt.Sprintf("rq_workers_success_total{name=%q,queues=%q}", o.Name, queues)] = float64(o.Successful)
		want[fmt.Sprintf("rq_workers_failed_total{name=%q,queues=%q}", o.Name, queues)] = float64(o.Failed)
		want[fmt.Sprintf("rq_workers_working_time_total{name=%q,queues=%q}", o.Name, queues)] = o.TotalWorking.Seconds()
	}
	for name, v := range want {
		if got, ok := metrics[name]; !ok || got-v > 1e-6 || v-got > 1e-6 {
			t.Errorf("%s is %v (%v), we have %v", name, got, ok, v)
		}
	}
	if len(metrics) != len(want) {
		t.Errorf("it has %d metrics, want %d:\n%s", len(metrics), len(want), text)
	}
}
