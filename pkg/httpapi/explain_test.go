package httpapi

import (
	"strings"
	"testing"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/redistest"
)

// A status says why the document is not done, where that is asked for.
func TestStatusExplains(t *testing.T) {
	t.Parallel()
	f := online(t, redistest.Start(t, redistest.Miniredis), nil)
	up, _ := f.process(t, "twelve bytes")
	path := documentsPath + "/" + up.DocumentID + "/status"
	var plain, explained document.Status
	f.get(t, path).into(t, 200, &plain)
	f.get(t, path+"?explain=true").into(t, 200, &explained)
	if plain.Explanation != "" || !strings.Contains(explained.Explanation, "no live worker") {
		t.Errorf("%q, %q", plain.Explanation, explained.Explanation)
	}
	f.get(t, path+"?explain=perhaps").problem(t, 422, "invalid_request")
}
