package httpapi

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// docsHTML is the documentation page, made from the OpenAPI document and
// page/template.html by "go test ./pkg/httpapi -run PageIsUpToDate -update".
// It is made then and not when the server starts because a template calls
// methods by name, and a linker that sees this keeps every exported method of
// every type: 11.7 MB of them.
//
//go:embed page/docs.html
var docsHTML string

//go:embed page/docs.css
var docsCSS string

// docsVersion stands in docsHTML where the server's version belongs.
const docsVersion = "(version of this server)"

// pageRoutes serves the OpenAPI document and the page made of it. They need
// no network, no script and no other file.
func (a *api) pageRoutes() error {
	static := func(op operation, path string, handler http.HandlerFunc) {
		h := op.huma(len(a.mux.patterns))
		h.Path = path
		a.huma.OpenAPI().AddOperation(&h)
		pattern := op.Method + " " + op.Path
		a.mux.public[pattern] = true
		a.mux.HandleFunc(pattern, handler)
	}
	var spec []byte
	html, csp := docsPage(a.huma.OpenAPI().Info.Version)
	static(operation{
		ID: "docs", Method: "GET", Path: "/docs", Tag: tagServer, Open: true,
		Summary: "This documentation", Curl: `curl http://localhost:8000/docs`,
		Responses: map[string]*huma.Response{"200": {Description: "A page for people",
			Content: map[string]*huma.MediaType{"text/html": {Schema: &huma.Schema{Type: huma.TypeString}}}}},
	}, "/docs", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", csp)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(html) // a client that went away is in the access log
	})
	static(operation{
		ID: "openapi", Method: "GET", Path: "/openapi.json", Tag: tagServer, Open: true,
		Summary: "This API as an OpenAPI 3.1 document", Curl: `curl http://localhost:8000/openapi.json`,
		Responses: map[string]*huma.Response{"200": {Description: "OpenAPI 3.1",
			Content: map[string]*huma.MediaType{"application/openapi+json": {Schema: &huma.Schema{Type: huma.TypeObject}}}}},
	}, "/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/openapi+json")
		_, _ = w.Write(spec)
	})
	static(operation{
		ID: "home", Method: "GET", Path: "/{$}", Tag: tagServer, Open: true, Status: http.StatusFound,
		Summary: "To the documentation", Curl: `curl -L http://localhost:8000/`,
		Responses: map[string]*huma.Response{"302": {Description: "The documentation is at /docs"}},
	}, "/", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/docs", http.StatusFound)
	})
	var err error
	spec, err = a.openAPI()
	return err
}

// docsPage returns the page of a server of that version, and the policy that
// allows its one style sheet and nothing else.
func docsPage(version string) (page []byte, csp string) {
	sum := sha256.Sum256([]byte(docsCSS))
	csp = "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	return []byte(strings.ReplaceAll(docsHTML, docsVersion, html.EscapeString(version))), csp
}
