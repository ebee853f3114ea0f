package httpapi

import (
	"maps"

	"github.com/danielgtaylor/huma/v2"

	"github.com/docsvc/docsvc/pkg/document"
)

// fieldDocs describes the fields of types that other packages own, by schema
// and field. A test finds every field that has no description.
func fieldDocs() map[string]map[string]string {
	docs := map[string]map[string]string{
		"Status": statusDocs(), "Document": documentDocs(),
		"Report": {
			"status":    "healthy, degraded or unhealthy",
			"reasons":   "Why it is not healthy, worst first",
			"queues":    "The configured queues by name",
			"redis":     "What Redis says of itself",
			"storage":   "Whether the bucket answers",
			"workers":   "Live workers",
			"ledger":    "Accepted documents, and where they are now; null when it can't be read",
			"caught":    "What went wrong with jobs and was caught; null when it can't be read",
			"timestamp": "When this was looked at",
		},
		"Queue": {
			"available":              "It could be read",
			"length":                 "Jobs that wait",
			"failed":                 "Jobs that failed and are kept",
			"started":                "Jobs that run now",
			"scheduled":              "Jobs that wait for their time",
			"workers":                "Live workers that listen to it",
			"oldest_job_age_seconds": "How long the next job has been waiting",
		},
		"Redis": {
			"available":         "It answers",
			"latency_ms":        "How long it took to answer, in milliseconds",
			"version":           "Its version",
			"used_memory_bytes": "Memory in use",
			"max_memory_bytes":  "Its limit; left out when there is none",
			"maxmemory_policy":  "What it does when memory is full; anything but noeviction can lose jobs",
			"error":             "Why it can't be used",
			"appendonly":        "yes when it writes an append-only file",
			"appendfsync":       "When that reaches the disk; left out where CONFIG is not allowed",
			"durability":        "What a crash of it can lose",
			"role":              "master, or slave for a replica, which won't do",
			"replicas":          "Replicas that follow it",
			"cluster":           "It runs in cluster mode, which won't do",
		},
		"Ledger": {
			"accepted":        "Documents that were accepted, those of seeded among them",
			"seeded":          "Accepted before there was a ledger or by a process that keeps none, or made again from the bucket",
			"completed":       "Completed documents",
			"duplicate":       "Duplicates",
			"failed":          "Failed documents, without those that were never accepted",
			"canceled":        "Canceled documents",
			"live":            "Documents that wait or are in work",
			"deleted":         "Deleted by a request",
			"archived":        "Moved into the bucket (documents.retention)",
			"unaccounted":     "accepted without all of these: 0 when nothing is missing, negative when more is there than was accepted",
			"complete":        "The documents from before the ledger have been counted; until then unaccounted is 0",
			"lost":            "Accepted documents whose record is gone from Redis, the latest ten",
			"lost_documents":  "How many there are of these",
			"foreign_changes": "Changes to jobs, records and indexes that other tools made and the sweep found",
			"audited_at":      "When the sweep last had compared all documents; null before",
		},
		"Caught": {
			"late_finishes_refused": "Ends of runs that were refused, since their worker had been taken for dead or the job was canceled or deleted meanwhile",
			"strays_found":          "Jobs that stood in no queue and were put back or failed",
			"entries_dropped":       "Entries of queues that were dropped, since their job was gone or not waiting",
		},
		"Storage": {
			"available":  "It answers",
			"latency_ms": "How long it took to answer, in milliseconds",
			"bucket":     "Name of the bucket",
			"error":      "Why it can't be used",
		},
		"Worker": {
			"name":            "Its name, as RQ's tools show it",
			"state":           "started, idle, busy or suspended",
			"queues":          "The queues it listens to",
			"hostname":        "Its host",
			"pid":             "Its process",
			"current_job":     "The job that it is at",
			"last_heartbeat":  "When it was last heard of",
			"successful_jobs": "Jobs that it finished",
			"failed_jobs":     "Runs that failed",
			"rss_bytes":       "Memory of the process and its parsers",
			"cpu":             "Processor cores in use",
			"version":         "Its docsvc or RQ version",
		},
	}
	maps.Copy(docs, catalogDocs())
	return docs
}

func statusDocs() map[string]string {
	return map[string]string{
		"document_id":              "The document",
		"job_id":                   "Its job, for GET /queue/job/{id}; null before process",
		"status":                   "completed, duplicate, failed and canceled are final",
		"progress":                 "0 to 100",
		"current_step":             "What is done now, or what it waits for, in words",
		"chunks_processed":         "Chunks made so far",
		"total_chunks":             "Chunks in all, once known",
		"processing_time":          "Seconds of work; null before it began",
		"s3_file_deleted":          "The uploaded file was removed from storage",
		"duplicate_of":             "The document that has the same file or text already",
		"error":                    "Why it failed, or why the last attempt did",
		"error_code":               "The same as a stable name",
		"estimated_time_remaining": "Seconds that it will still take, about; null when unknown or over",
		"attempts":                 "How often processing was begun",
		"next_attempt_at":          "When it is tried again",
		"partial":                  "Some pages could not be read",
		"failed_pages":             "Which",
		"warnings":                 "What was not read as it should",
		"explanation":              "Why it is not done, or how it ended, with the evidence; only with explain=true",
		"created_at":               "When the upload URL was asked for, or the object taken in",
		"updated_at":               "When something last changed",
	}
}

func documentDocs() map[string]string {
	docs := map[string]string{
		"owner":             "Whose it is",
		"filename":          "Name of the file as given",
		"title":             "Title as given",
		"description":       "Description as given",
		"tags":              "Tags as given",
		"content_type":      "Type as declared",
		"file_size":         "Size in bytes as declared",
		"upload_id":         "Its upload",
		"upload_expires_at": "When the upload URL stops working; left out where there was none",
		"parent_id":         "The document of the mail that it was attached to; that one may be deleted since",
		"children":          "The documents of its attachments (attachments.documents), as its run made them; some may be deleted since",
		"source_key":        "The object of the bucket that it was made of; left out for an upload",
		"allow_duplicate":   "It is processed even if the same file or text is there already",
		"chunk_tokens":      "Most tokens of a chunk, where asked for",
		"chunk_overlap":     "Most tokens repeated, where asked for",
		"queued_at":         "When its job last came onto the queue",
		"started_at":        "When its last attempt began",
		"finished_at":       "When it became final",
		"sha256":            "sha256 of the file",
		"text_sha256":       "sha256 of the normalised text",
		"format":            "pdf, docx, html, markdown, text, pptx, xlsx, csv, eml, epub, odt, rtf or doc, by content",
		"mime":              "Type by content",
		"author":            "Author that the file names",
		"language":          "Language of the text (BCP 47)",
		"text_title":        "Title that the file itself has",
		"pages":             "Pages, where the format has them",
		"words":             "Words of the text",
		"text_bytes":        "Size of the text in bytes",
		"extractor_version": "What read the file",
		"archived_at":       "When its record was moved to the storage (documents.retention); left out while it was not",
	}
	docs["job_id"] = "Its job, for GET /queue/job/{id}; empty before process"
	for _, shared := range []string{"document_id", "status", "progress", "current_step", "chunks_processed", "total_chunks",
		"s3_file_deleted", "duplicate_of", "error", "error_code", "attempts", "next_attempt_at", "partial", "failed_pages", "warnings",
		"created_at", "updated_at"} {
		docs[shared] = statusDocs()[shared]
	}
	return docs
}

// describeFields completes the schemas of other packages' types.
func describeFields(o *huma.OpenAPI) {
	schemas := o.Components.Schemas.Map()
	for schema, fields := range fieldDocs() {
		for name, property := range schemas[schema].Properties {
			if property.Description == "" {
				property.Description = fields[name]
			}
		}
	}
	var states []any
	for _, s := range document.States() {
		states = append(states, string(s))
	}
	for _, schema := range []string{"Status", "Document"} {
		schemas[schema].Properties["status"].Enum = states
	}
}
