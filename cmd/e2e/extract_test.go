package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docsvc/docsvc/pkg/redistest"
)

// TestExtractIsTheServicesText compares what docsvc extract prints for a file
// with what the service answers for it, and the reasons where there is no text.
func TestExtractIsTheServicesText(t *testing.T) {
	t.Parallel()
	s := newSite(t, redistest.Miniredis)
	s.serve()
	s.start("worker", "--concurrency", "2")
	files, err := filepath.Glob("../../scripts/demo/samples/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	for name, text := range map[string]string{
		"blank.txt": " \n\t\n", "latin1.txt": "a\xe7\xe3o e rea\xe7\xe3o, \xe9 o que se espera de um texto em portugu\xeas\n",
		"table.html": "<!DOCTYPE html><table><tr><th>A<th>B</tr><tr><td>1|2<td>3</tr></table><p>end", "picture.png": "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
	} {
		path := filepath.Join(s.dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, path)
	}
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if path, err = filepath.Abs(path); err != nil {
			t.Fatal(err)
		}
		id := s.submit(filepath.Base(path), "application/octet-stream", data)
		st := s.reach(id, "completed", "duplicate", "failed")
		printed, failure := s.run("extract", path, "-o", "markdown")
		if st.Status == "failed" {
			if failure == nil || !strings.Contains(failure.Error(), st.Error) || !strings.Contains(failure.Error(), "("+st.ErrorCode+")") {
				t.Errorf("%s: the service says %q (%s), docsvc extract %v", path, st.Error, st.ErrorCode, failure)
			}
			continue
		}
		a, err := s.call(http.MethodGet, s.api+"/api/v1/documents/"+id+"/text", nil, "")
		if err != nil || a.status != http.StatusOK || failure != nil {
			t.Fatalf("%s: %v, %v, %v", path, a, err, failure)
		}
		if printed != string(a.body) {
			t.Errorf("%s: docsvc extract printed %d bytes, the service has %d:\n%.500s", path, len(printed), len(a.body), printed)
		}
	}
}
