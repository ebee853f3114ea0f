// Package httpapi serves docsvc over HTTP: documents and the queue below
// /api/v1, probes, the OpenAPI document and a page that shows it.
//
// What holds for every request:
//
//   - Errors are application/problem+json (RFC 9457) with a stable "code", a
//     "detail" written for people and the request's id. What went wrong inside
//     is in the log under that id and nowhere else.
//   - Redis or storage being away is 503 with Retry-After, on what needs them
//     only; nothing has to be restarted when they are back.
//   - Bodies are JSON of at most MaxBodyBytes. A body that is no JSON, has an
//     unknown field, a wrong type or a value out of range is 422 and names the
//     field.
//   - With API keys, everything below /api/v1 needs one. Without, only
//     requests that a page of another site can't make are taken: the Host must
//     be an address or a known name, what a POST, PATCH or DELETE brings must
//     be JSON or nothing, and a browser's request must come from this origin.
//   - A client that sends or reads too slowly is cut off; a request that waits
//     for a document ends early when the server shuts down.
package httpapi
