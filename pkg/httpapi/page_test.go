package httpapi

import (
	"crypto/sha256"
	"encoding/base64"
	"flag"
	"html"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write page/docs.html anew")

// The page that is embedded is the one that the API makes.
func TestDocumentationPageIsUpToDate(t *testing.T) {
	t.Parallel()
	const file = "page/docs.html"
	made := makePage(t, spec(t).huma.OpenAPI())
	if *update {
		if err := os.WriteFile(file, made, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(made) != docsHTML {
		t.Errorf("%s isn't what the API says: go test ./pkg/httpapi -run PageIsUpToDate -update", file)
	}
}

// The page must show every operation and every error code, and need nothing
// but itself.
func TestDocumentationPage(t *testing.T) {
	t.Parallel()
	f := offline(t, nil)
	r := f.get(t, "/docs")
	if r.Status != 200 || r.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("answered %d %s", r.Status, r.Header.Get("Content-Type"))
	}
	page := string(r.Body)
	checkPage(t, page)
	if !strings.Contains(page, "default 24") {
		t.Error("the page doesn't tell the default of older_than_hours")
	}
	for _, bad := range []string{"<script", "<link", "<img", "<iframe", "@import", "url(", "src=", "style=\"", "ZgotmplZ", "default 0x"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %s", bad)
		}
	}
	for _, m := range regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		target, ok := strings.CutPrefix(m[1], "#")
		switch {
		case ok && !strings.Contains(page, `id="`+target+`"`):
			t.Errorf("the link %s leads nowhere", m[1])
		case !ok && f.get(t, m[1]).Status != http.StatusOK:
			t.Errorf("the link %s leads nowhere", m[1])
		}
	}
	_, style, _ := strings.Cut(page, "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	sum := sha256.Sum256([]byte(style))
	csp := r.Header.Get("Content-Security-Policy")
	if want := "style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(csp, want) || !strings.Contains(csp, "default-src 'none'") {
		t.Errorf("policy %s doesn't allow the page's own style, %s", csp, want)
	}
}

// checkPage looks for all operations in a page, served or rendered.
func checkPage(t *testing.T, page string) {
	t.Helper()
	text := html.UnescapeString(page)
	for _, op := range operationsOf(spec(t).huma.OpenAPI()) {
		for _, part := range []string{`id="` + op.OperationID + `"`, op.Summary, ">" + op.Path + "<", op.Extensions["x-codeSamples"].([]codeSample)[0].Source} {
			if !strings.Contains(text, part) {
				t.Errorf("the page doesn't show %s of %s", part, op.OperationID)
			}
		}
	}
	for code := range errorCodes {
		if !strings.Contains(page, `id="error-`+code+`"`) {
			t.Errorf("the page doesn't explain %s", code)
		}
	}
}

// Where there is a browser, it renders the page as served, with its policy
// in force.
func TestDocumentationPageInABrowser(t *testing.T) {
	t.Parallel()
	browser := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			browser = p
			break
		}
	}
	if browser == "" {
		t.Skip("no chromium on PATH; the page has no script, TestDocumentationPage sees all that a browser would")
	}
	f := offline(t, nil)
	cmd := exec.CommandContext(t.Context(), browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
		"--user-data-dir="+filepath.Join(t.TempDir(), "profile"), f.URL+"/docs")
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("rendering: %v", err)
	}
	checkPage(t, string(out))
}

func TestHomeLeadsToTheDocumentation(t *testing.T) {
	t.Parallel()
	f := offline(t, nil)
	if r := f.get(t, "/"); r.Status != http.StatusFound || r.Header.Get("Location") != "/docs" {
		t.Errorf("answered %d to %s", r.Status, r.Header.Get("Location"))
	}
}
