package httpapi

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// endpoint finds a path of the API in a text, with the method where it stands
// beside it: "curl -X POST http://localhost:8000/api/v1/..." or "| `/api/v1/...` | POST |".
var endpoint = regexp.MustCompile("(?:curl +(?:-X +([A-Z]+) +|-[A-Za-z]+ +)*\"?http://localhost:8000|`)(/(?:api/v1/[^\\s\"`?]*|livez|readyz|docs|openapi\\.json))[^\\s\"`]*[\"`]?(?: *\\| *([A-Z]+) *\\|)?")

// fits reports whether a path is one of a pattern: {job_id} stands for JOB_ID.
func fits(pattern, path string) bool {
	a, b := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !strings.HasPrefix(a[i], "{") && a[i] != b[i] {
			return false
		}
	}
	return true
}

// Every endpoint that the guides name is served, with that method.
func TestGuidesNameOnlyWhatIsServed(t *testing.T) {
	t.Parallel()
	served := documented(t)
	for file, least := range map[string]int{"guia.md": 15, "api.md": 20} {
		text, err := os.ReadFile(filepath.Join("../../docs", file))
		if err != nil {
			t.Fatal(err)
		}
		found := endpoint.FindAllStringSubmatch(string(text), -1)
		if len(found) < least {
			t.Errorf("%s: found only %d endpoints; the pattern no longer fits how they are written", file, len(found))
		}
		for _, m := range found {
			method := m[1] + m[3]
			if method == "" {
				method = "GET"
			}
			if m[2] == "/api/v1" || strings.HasSuffix(m[2], "...") {
				continue
			}
			if !slices.ContainsFunc(served, func(s string) bool {
				verb, pattern, _ := strings.Cut(s, " ")
				return verb == method && fits(pattern, m[2])
			}) {
				t.Errorf("%s names %s %s, which is not served", file, method, m[2])
			}
		}
	}
}

// The guide that docsvc's readers know names these; each must stand in ours.
func TestGuideKeepsWhatItsReadersKnow(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/guia.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		"make dev", "make worker\n", "make queue-info", "make queue-health", "make worker-all", "make worker-cleanup", "make worker-verbose",
		"make cleanup-s3", "make cleanup-orphaned", "make cleanup-daily",
		"/api/v1/documents/upload/presigned", "/process", "/status", "/api/v1/queue/info", "/api/v1/queue/info/{queue_name}",
		"/api/v1/queue/job/{job_id}", "/api/v1/queue/job/{job_id}/cancel", "/api/v1/queue/job/{job_id}/retry", "/api/v1/queue/cleanup", "/api/v1/queue/health",
		`redis-cli keys "rq:queue:*"`, `redis-cli llen "rq:queue:document_processing"`, "redis-cli ping",
		"cleanup --daily", "cleanup --expired-uploads", "0 2 * * *", "0 */6 * * *", "--queues cleanup_tasks", "nohup docsvc worker --all",
	} {
		if !strings.Contains(string(text), part) {
			t.Errorf("guia.md lacks %q", part)
		}
	}
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	targets := regexp.MustCompile(`(?m)^make ([a-z0-9-]+)`).FindAllStringSubmatch(string(text), -1)
	if len(targets) < 10 {
		t.Errorf("found only %d make targets", len(targets))
	}
	for _, m := range targets {
		if !strings.Contains(string(makefile), "\n"+m[1]+":") {
			t.Errorf("guia.md names make %s, which the Makefile has not", m[1])
		}
	}
}
