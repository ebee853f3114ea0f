package httpapi

import (
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// describe is the OpenAPI document before any operation: what it is, where
// it is served, how to authenticate.
func describe(version string) *huma.OpenAPI {
	if version == "" {
		version = "dev"
	}
	schemas := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	schemas.Schema(reflect.TypeFor[Problem](), true, "")
	return &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title:   "docsvc",
			Version: version,
			Description: "Takes in documents asynchronously: ask for an upload URL, PUT the file to it, ask for processing, follow the progress, " +
				"get text and chunks. Errors are application/problem+json with a stable code.",
			License: &huma.License{Name: "MIT", Identifier: "MIT"},
		},
		Servers: []*huma.Server{{URL: "/", Description: "This server"}},
		Tags: []*huma.Tag{
			{Name: tagDocuments, Description: "From upload to text and chunks."},
			{Name: tagQueue, Description: "Queues, jobs and cleanup. Jobs of any RQ producer are shown."},
			{Name: tagServer, Description: "Probes and this description. They need no API key."},
		},
		Components: &huma.Components{
			Schemas: schemas,
			SecuritySchemes: map[string]*huma.SecurityScheme{
				"bearer": {Type: "http", Scheme: "bearer", Description: "An API key of this server."},
				"apiKey": {Type: "apiKey", In: "header", Name: "X-API-Key", Description: "The same key in a header of its own."},
			},
		},
		// The last, empty one: a server without keys asks for none.
		Security: []map[string][]string{{"bearer": {}}, {"apiKey": {}}, {}},
	}
}
