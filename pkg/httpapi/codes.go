package httpapi

import (
	"net/http"
	"time"
)

// errorCode is what is known of a code before it happens. Title is the same
// for every occurrence; Help is for whoever looks the code up.
type errorCode struct {
	Status     int
	Title      string
	Help       string
	RetryAfter time.Duration
}

// retryAfter is what a client is told to wait when Redis or storage is away:
// long enough for a restart, short enough for a person to wait.
const retryAfter = 5 * time.Second

// errorCodes holds every code that this API answers. The page below /docs is
// made from it, and a test holds docs/api.md to it.
var errorCodes = map[string]errorCode{
	"invalid_request": {Status: http.StatusUnprocessableEntity, Title: "A field of the request is wrong",
		Help: "errors[] names each field (body.file_size, query.limit, path.document_id) and what is wrong with it: missing, unknown, of another type, out of range."},
	"invalid_json": {Status: http.StatusUnprocessableEntity, Title: "The body is not JSON",
		Help: "The body does not parse; errors[] has the place. Check quoting in the shell."},
	"unsupported_type": {Status: http.StatusUnprocessableEntity, Title: "The type of the file is not supported",
		Help: "content_type names a format that docsvc doesn't read; detail lists those it does. application/octet-stream leaves the decision to the file's content."},
	"wrong_upload_id": {Status: http.StatusUnprocessableEntity, Title: "The upload id is not the document's",
		Help: "Send the upload_id that came with this document_id from the presigned call."},

	"too_large": {Status: http.StatusUnprocessableEntity, Title: "The object is too large",
		Help: "The object has more bytes than uploads.max_size allows."},

	"unauthorized": {Status: http.StatusUnauthorized, Title: "An API key is needed",
		Help: "Send Authorization: Bearer KEY, or X-API-Key: KEY."},
	"host_not_allowed": {Status: http.StatusForbidden, Title: "Not a name of this server",
		Help: "Without an API key only IP addresses, localhost and the names in server.allowed_hosts are answered, so that a foreign web page can't reach the server through a name of its own."},
	"cross_origin": {Status: http.StatusForbidden, Title: "Sent by a page of another site",
		Help: "A browser said that another site made this request. Without an API key that is refused."},

	"not_found": {Status: http.StatusNotFound, Title: "No such endpoint",
		Help: "Check the path; this page lists all endpoints."},
	"document_not_found": {Status: http.StatusNotFound, Title: "No such document",
		Help: "No document has this id."},
	"no_thumbnail": {Status: http.StatusNotFound, Title: "There is no thumbnail",
		Help: "Thumbnails are made of PDFs and images, when these are processed."},
	"object_not_found": {Status: http.StatusNotFound, Title: "No such object in the bucket",
		Help: "key must be the object's whole key, as the bucket lists it. Storage that doesn't let docsvc list the bucket answers 503 instead."},
	"job_not_found": {Status: http.StatusNotFound, Title: "No such job",
		Help: "No job has this id, or it was kept for its time and is gone."},
	"queue_not_found": {Status: http.StatusNotFound, Title: "No such queue",
		Help: "The queue is neither configured nor known to RQ in this Redis. GET /api/v1/queue/info lists all."},
	"method_not_allowed": {Status: http.StatusMethodNotAllowed, Title: "Not with this method",
		Help: "The Allow header lists the methods that this path takes."},

	"request_timeout": {Status: http.StatusRequestTimeout, Title: "The body came too slowly",
		Help: "Send the request again."},
	"unreadable_body": {Status: http.StatusBadRequest, Title: "The body broke off",
		Help: "The connection ended or the body was wrongly framed. Send the request again."},
	"body_too_large": {Status: http.StatusRequestEntityTooLarge, Title: "The body is too large",
		Help: "Bodies are bounded at 64 KiB. Files don't go through this API: PUT them to upload_url."},
	"unsupported_media_type": {Status: http.StatusUnsupportedMediaType, Title: "The body is not declared as JSON",
		Help: "Send Content-Type: application/json. Without an API key a body must carry that header."},

	"upload_missing": {Status: http.StatusConflict, Title: "The upload has not arrived",
		Help: "PUT the file to upload_url, then ask for processing again. Nothing has changed."},
	"size_mismatch": {Status: http.StatusConflict, Title: "The file has another size than declared",
		Help: "detail has both sizes. PUT the right file to the same upload_url while it is valid, or begin again with the right file_size."},
	"upload_expired": {Status: http.StatusConflict, Title: "The upload URL ran out",
		Help: "Begin again with a new presigned call."},
	"upload_gone": {Status: http.StatusConflict, Title: "The uploaded file is no longer there",
		Help: "Uploads of failed documents are kept for a time only. Begin again with a new presigned call."},
	"object_missing": {Status: http.StatusConflict, Title: "The object is not in the bucket",
		Help: "The document was to be made of an object that somebody removed. Put it back under the same key, then ask for processing again."},
	"not_ready": {Status: http.StatusConflict, Title: "There is no text yet, or never will be",
		Help: "state has the document's status. Wait with GET /documents/{id}/status?wait=60, or read there why it failed."},
	"archived": {Status: http.StatusConflict, Title: "The document is archived",
		Help: "Its record was moved to the storage (documents.retention) and can only be read there. detail has the command that brings it back."},
	"busy": {Status: http.StatusConflict, Title: "The document changed meanwhile",
		Help: "Several requests changed it at the same time. Look at its status and try again."},
	"installation_mismatch": {Status: http.StatusConflict, Title: "The server's bucket and Redis don't belong together",
		Help: "Bucket and Redis are of two installations of docsvc. Nothing is taken in until whoever runs the server has corrected its settings; detail names both."},
	"records_missing": {Status: http.StatusConflict, Title: "The server's Redis knows nothing of its bucket",
		Help: "Redis was lost, or the server was pointed at another one. Nothing is taken in until whoever runs the server has put the records back: docsvc documents rebuild."},
	"job_state": {Status: http.StatusConflict, Title: "The job's state doesn't allow it",
		Help: "state has the job's status. Cancel works on jobs that wait or run; retry on failed, stopped and canceled ones."},

	"original_removed": {Status: http.StatusGone, Title: "The original was not kept",
		Help: "Uploads are removed after processing. Set storage.keep_original to keep them."},
	"duplicate_gone": {Status: http.StatusGone, Title: "The document that this is a duplicate of is gone",
		Help: "Text and chunks of a duplicate are those of the first document, which was removed. Upload the file again."},

	"internal_error": {Status: http.StatusInternalServerError, Title: "Something went wrong inside",
		Help: "The log has what happened under the request_id."},
	"artifact_missing": {Status: http.StatusInternalServerError, Title: "The document's text is not where it should be",
		Help: "The record says completed but storage has no such object. Check the bucket; process a new upload of the file."},
	"newer_schema": {Status: http.StatusInternalServerError, Title: "The record is of a newer docsvc",
		Help: "Update this docsvc."},
	"corrupt_record": {Status: http.StatusInternalServerError, Title: "The record can't be read",
		Help: "Something else wrote to docsvc's keys in Redis. The log has the field."},

	"queue_unavailable": {Status: http.StatusServiceUnavailable, Title: "Redis can't serve now", RetryAfter: retryAfter,
		Help: "Redis is down, loading, out of memory or too slow. Nothing was half done: repeat the request after Retry-After seconds."},
	"storage_unavailable": {Status: http.StatusServiceUnavailable, Title: "The storage can't serve now", RetryAfter: retryAfter,
		Help: "The S3 storage can't be reached or refuses. Repeat the request after Retry-After seconds."},
	"timed_out": {Status: http.StatusServiceUnavailable, Title: "It took too long", RetryAfter: retryAfter,
		Help: "Redis or storage did not answer within 20 seconds. Repeat the request after Retry-After seconds."},
}
