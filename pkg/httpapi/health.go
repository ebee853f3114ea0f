package httpapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/docsvc/docsvc/pkg/health"
)

type livezOutput struct {
	Body struct {
		Status string `json:"status" doc:"ok" example:"ok"`
	}
}

// Readiness is what GET /readyz answers.
type Readiness struct {
	Status  string `json:"status" enum:"ready,not_ready" doc:"ready when everything answers"`
	Redis   bool   `json:"redis" doc:"Redis answers"`
	Storage bool   `json:"storage" doc:"The bucket answers"`
}

type readyzOutput struct {
	Status int
	Body   Readiness
}

type healthOutput struct {
	Status int
	Body   health.Report
}

const healthExample = `{"status":"degraded","reasons":["2 jobs wait in cleanup_tasks and no worker listens to it"],` +
	`"queues":{"document_processing":{"available":true,"length":0,"failed":1,"started":1,"scheduled":0,"workers":1,"oldest_job_age_seconds":0},` +
	`"cleanup_tasks":{"available":true,"length":2,"failed":0,"started":0,"scheduled":0,"workers":0,"oldest_job_age_seconds":12.5}},` +
	`"redis":{"available":true,"latency_ms":0.4,"version":"7.0.15","used_memory_bytes":1048576,"maxmemory_policy":"noeviction","appendonly":"yes","appendfsync":"everysec",` +
	`"durability":"appendonly yes, appendfsync everysec: a power failure can lose the last second of what was acknowledged","role":"master"},` +
	`"storage":{"available":true,"latency_ms":2.1,"bucket":"docsvc"},` +
	`"workers":[{"name":"worker-1","state":"busy","queues":["document_processing"],"hostname":"host-1","pid":4242,` +
	`"current_job":"3f0f7a9e-0b8f-4c1e-9d0e-2a8d1c5b7f10","last_heartbeat":"2026-11-23T16:00:00Z","successful_jobs":15,"failed_jobs":1}],` +
	`"ledger":{"accepted":18,"seeded":0,"completed":14,"duplicate":1,"failed":1,"canceled":0,"live":1,"deleted":1,"archived":0,"unaccounted":0,` +
	`"complete":true,"lost":[],"lost_documents":0,"foreign_changes":0,"audited_at":"2026-11-23T15:59:52Z"},` +
	`"caught":{"late_finishes_refused":0,"strays_found":0,"entries_dropped":0},` +
	`"timestamp":"2026-11-23T16:00:01Z"}`

func (a *api) healthRoutes() {
	register(a, operation{
		ID: "queue-health", Method: "GET", Path: "/api/v1/queue/health", Tag: tagQueue,
		Summary: "Health of queues, Redis, storage and workers",
		Description: "healthy and degraded answer 200, unhealthy 503 with the same body. unhealthy: Redis or storage can't be reached, or don't belong together. " +
			"degraded: jobs wait on a queue without workers, or have been waiting over 10 minutes, or Redis may lose data by its settings, or the loss ledger does not balance. reasons says which.",
		Curl:      `curl http://localhost:8000/api/v1/queue/health`,
		Example:   healthExample,
		Responses: map[string]*huma.Response{"503": sameBody("Unhealthy", "Report")},
	}, a.queueHealth)
	a.open("GET /livez")
	register(a, operation{
		ID: "livez", Method: "GET", Path: "/livez", Tag: tagServer, Open: true,
		Summary:     "The process answers",
		Description: "Asks nobody else: a restart would not help where Redis is down.",
		Curl:        `curl http://localhost:8000/livez`,
		Example:     `{"status":"ok"}`,
	}, func(context.Context, *struct{}) (*livezOutput, error) {
		out := &livezOutput{}
		out.Body.Status = "ok"
		return out, nil
	})
	a.open("GET /readyz")
	register(a, operation{
		ID: "readyz", Method: "GET", Path: "/readyz", Tag: tagServer, Open: true,
		Summary:     "Requests can be served",
		Description: "200 when Redis and storage answer, else 503 with the same body.",
		Curl:        `curl http://localhost:8000/readyz`,
		Example:     `{"status":"ready","redis":true,"storage":true}`,
		Responses:   map[string]*huma.Response{"503": sameBody("Not ready", "Readiness")},
	}, a.readyz)
}

// sameBody documents an error status whose body is the usual one.
func sameBody(description, schema string) *huma.Response {
	return &huma.Response{Description: description, Content: map[string]*huma.MediaType{
		"application/json": {Schema: &huma.Schema{Ref: "#/components/schemas/" + schema}},
	}}
}

func (a *api) open(pattern string) { a.mux.public[pattern] = true }

func (a *api) queueHealth(ctx context.Context, _ *struct{}) (*healthOutput, error) {
	out := &healthOutput{Status: http.StatusOK, Body: a.Health.Check(ctx)}
	if out.Body.Status == health.Unhealthy {
		out.Status = http.StatusServiceUnavailable
	}
	return out, nil
}

func (a *api) readyz(ctx context.Context, _ *struct{}) (*readyzOutput, error) {
	r := a.Health.Ready(ctx)
	out := &readyzOutput{Status: http.StatusOK, Body: Readiness{Status: "ready", Redis: r.Redis, Storage: r.Storage}}
	if !r.OK() {
		out.Status, out.Body.Status = http.StatusServiceUnavailable, "not_ready"
	}
	return out, nil
}
