package httpapi

// Answers for the documentation. A test holds them to the schemas.
const (
	presignExample = `{"upload_url":"https://s3.example.com/docsvc/temp/0d6b5c1e-58a5-4f0e-9d4c-6f0a8a1c2b3d/7c1f...?X-Amz-Signature=...",` +
		`"document_id":"0d6b5c1e-58a5-4f0e-9d4c-6f0a8a1c2b3d","upload_id":"7c1f1a52-0f6e-4d9b-8a57-2b1f6f0c9e10","expires_in":3600,` +
		`"expires_at":"2026-11-23T17:00:00Z","upload_method":"PUT","upload_headers":{}}`
	acceptedExample = `{"job_id":"3f0f7a9e-0b8f-4c1e-9d0e-2a8d1c5b7f10","document_id":"0d6b5c1e-58a5-4f0e-9d4c-6f0a8a1c2b3d",` +
		`"status":"uploaded","estimated_time":"2-5 minutes","estimated_seconds":180}`
	statusExample = `{"document_id":"0d6b5c1e-58a5-4f0e-9d4c-6f0a8a1c2b3d","job_id":"3f0f7a9e-0b8f-4c1e-9d0e-2a8d1c5b7f10","status":"extracting",` +
		`"progress":35,"current_step":"reading page 12 of 40","chunks_processed":0,"total_chunks":0,"processing_time":3.2,"s3_file_deleted":false,` +
		`"duplicate_of":null,"error":null,"error_code":null,"estimated_time_remaining":8,"attempts":1,"next_attempt_at":null,"partial":false,` +
		`"failed_pages":[],"warnings":[],"created_at":"2026-11-23T16:00:00Z","updated_at":"2026-11-23T16:00:05Z"}`
	recordExample = `{"document_id":"0d6b5c1e-58a5-4f0e-9d4c-6f0a8a1c2b3d","owner":"default","status":"completed","created_at":"2026-11-23T16:00:00Z",` +
		`"updated_at":"2026-11-23T16:00:12Z","filename":"manual.pdf","title":"Manual de Teste","tags":["manual"],"content_type":"application/pdf",` +
		`"file_size":1048576,"upload_id":"7c1f1a52-0f6e-4d9b-8a57-2b1f6f0c9e10","upload_expires_at":"2026-11-23T17:00:00Z","s3_file_deleted":true,` +
		`"job_id":"3f0f7a9e-0b8f-4c1e-9d0e-2a8d1c5b7f10","progress":100,"chunks_processed":42,"total_chunks":42,"attempts":1,` +
		`"format":"pdf","mime":"application/pdf","pages":40,"words":12034,"language":"pt","partial":false}`
	chunksExample = `{"chunks":[{"id":"f684aa6b-b9d4-558c-b2ec-599b31bc1d7b","index":0,"text":"# Manual de Teste","start_byte":0,"end_byte":17,"start_char":0,"end_char":17,` +
		`"page_first":1,"page_last":1,"headings":["Manual de Teste"],"tokens":6,"kind":"heading"}],"next_cursor":"318","total":42}`
)
