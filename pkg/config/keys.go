package config

// Key is one setting: its name in the file, where else it may come from, its
// default as text and what it means. The table below is the single source of
// configs/docsvc.yaml, `docsvc config print` and the environment's names.
type Key struct {
	Name    string   // dotted path in the file, e.g. "redis.url"
	Default string   // text form; durations as 1h30m, sizes as 512MiB
	Env     []string // further environment variables, after DOCSVC_<NAME>; the first that is set wins
	Secret  bool     // never printed
	Help    string   // one or two sentences
}

// Keys returns every setting but the list of queues, in the order of the file.
func Keys() []Key {
	return []Key{
		{Name: "redis.url", Default: "redis://127.0.0.1:6379/0", Env: []string{"REDIS_URL"}, Secret: true,
			Help: "Redis (6.2 or later) or Valkey: redis://[user:password@]host:port/db, rediss:// for TLS, unix:///path."},
		{Name: "redis.password_file", Help: "File with the Redis password; beats a password in the URL."},
		{Name: "redis.sentinel_addrs", Help: "Sentinels, host:port separated by commas. Then redis.sentinel_master is looked up there, and of redis.url only user, password, database and rediss:// (for Sentinel, too) are used."},
		{Name: "redis.sentinel_master", Help: "Name under which Sentinel knows the primary."},
		{Name: "redis.sentinel_password_file", Help: "File with the password that Sentinel itself asks for."},
		{Name: "redis.tls_ca_file", Help: "Certificates of the authorities that vouch for a rediss:// server, in PEM form; empty: the system's."},
		{Name: "redis.tls_cert_file", Help: "Client certificate for a rediss:// server that asks for one. It is read anew for every connection."},
		{Name: "redis.tls_key_file", Help: "Private key of redis.tls_cert_file."},
		{Name: "redis.namespace", Default: "docsvc:", Help: "Prefix of docsvc's own keys. RQ's keys always begin with rq:."},

		{Name: "storage.endpoint", Default: "https://s3.amazonaws.com", Env: []string{"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"},
			Help: "S3-compatible storage as docsvc reaches it: http(s)://host:port."},
		{Name: "storage.public_endpoint", Help: "The same storage as clients reach it, for presigned URLs; empty: storage.endpoint."},
		{Name: "storage.region", Default: "us-east-1", Env: []string{"AWS_REGION", "AWS_DEFAULT_REGION"}, Help: "Region that requests are signed for."},
		{Name: "storage.bucket", Default: "docsvc", Help: "Bucket for uploads and artifacts. It must exist unless storage.create_bucket is true."},
		{Name: "storage.prefix", Help: "Put before every object key, for a bucket shared with something else."},
		{Name: "storage.path_style", Default: "auto", Help: "auto, true (http://host/bucket/key) or false (http://bucket.host/key)."},
		{Name: "storage.create_bucket", Default: "false", Help: "Create the bucket at start where it is missing."},
		{Name: "storage.access_key", Help: "Access key id; empty: AWS environment, credentials file, instance role or web identity, in that order."},
		{Name: "storage.secret_key", Secret: true, Help: "Secret of storage.access_key; better in storage.secret_key_file."},
		{Name: "storage.secret_key_file", Help: "File with the secret of storage.access_key."},
		{Name: "storage.keep_original", Default: "false", Help: "Keep the uploaded file beside the artifacts after processing; false: it is deleted and /original answers 410."},

		{Name: "server.addr", Default: "127.0.0.1:8000", Help: "Where serve listens. An address other than loopback needs server.api_key_file or server.insecure."},
		{Name: "server.api_key_file", Env: []string{"DOCSVC_API_KEY_FILE"}, Help: "File with one API key a line; clients send one as a bearer token. Empty: no key is asked for."},
		{Name: "server.allowed_hosts", Help: "Without an API key only IP addresses, localhost and these host names are answered; separated by commas."},
		{Name: "server.insecure", Default: "false", Help: "Allow an address other than loopback without an API key."},
		{Name: "server.shutdown_grace", Default: "30s", Help: "How long requests in flight may take to end after SIGTERM."},

		{Name: "uploads.url_ttl", Default: "1h", Help: "How long a presigned upload URL is valid."},
		{Name: "uploads.max_size", Default: "5GiB", Help: "Largest file_size that is accepted, at most 5GiB."},
		{Name: "uploads.failed_ttl", Default: "168h", Help: "How long the upload of a failed document is kept, so that it can be retried."},

		{Name: "documents.retention", Default: "0", Help: "After how long the record of a finished document moves from Redis into the bucket, where it can only be read; at least 24h. 0: never."},

		{Name: "attachments.documents", Default: "false", Help: "Make documents of their own of the attachments of mails (EML, MSG) that are of a format docsvc reads: they name the mail (parent_id), and the mail names them (children). false: they are only listed in the mail's text."},
		{Name: "attachments.max_depth", Default: "3", Help: "How deep mails may be attached to mails for that: 1 is a mail that was uploaded."},
		{Name: "attachments.max_files", Default: "50", Help: "Most attachments of one mail that become documents."},
		{Name: "attachments.max_size", Default: "32MiB", Help: "Largest attachment that becomes one; those of one mail together may have ten times as much."},

		{Name: "worker.concurrency", Default: "1", Help: "Jobs a worker process runs at a time; each shows as one RQ worker."},
		{Name: "worker.work_dir", Help: "Directory for files in work; empty: docsvc-<uid> below the system's temporary directory."},
		{Name: "worker.shutdown_grace", Default: "30m", Help: "How long jobs in hand may go on after SIGTERM; what is still running then goes back to the head of its queue. Whatever starts the worker must wait a minute longer before it kills. 0: as long as they take."},
		{Name: "worker.unknown", Default: "stop", Help: "A job whose function docsvc doesn't know, on a queue not listed here: stop claiming and say why, or fail it. On a listed queue it is failed, payload untouched."},
		{Name: "worker.webhooks", Default: "true", Help: "Make the HTTP requests that a job asks for when it has finished or failed (RQ's webhooks). Only who writes to Redis can ask; false: none is made."},

		{Name: "extract.timeout", Default: "10m", Help: "Longest time one file may take in its parser."},
		{Name: "extract.progress_timeout", Default: "60s", Help: "Longest time without a finished page or part."},
		{Name: "extract.memory", Default: "512MiB", Help: "Memory of one parser process; above it the process is ended and the file fails."},
		{Name: "extract.max_text", Default: "256MiB", Help: "Most text one file may give."},
		{Name: "extract.max_pages", Default: "20000", Help: "Most pages one file may have."},
		{Name: "extract.max_expanded", Default: "1GiB", Help: "Most that what is packed in one file may expand to, all of it together."},
		{Name: "extract.max_parts", Default: "100000", Help: "Most parts a container may have, e.g. members of a zip archive."},
		{Name: "extract.max_nesting", Default: "512", Help: "How deep elements may stand in one another."},
		{Name: "extract.max_ratio", Default: "200", Help: "How many times its packed size a part of a container may expand to; parts up to 4 MiB are let through."},
		{Name: "extract.max_pixels", Default: "64000000", Help: "Most pixels an image may have, told by its header; a page of 300 dpi has 9 million."},
		{Name: "extract.ocr", Default: "true", Help: "Take images in, and recognise the text of images and scanned pages with tesseract, which must be installed where workers run. false: images are refused, and documents that need it fail (needs_ocr)."},
		{Name: "extract.ocr_program", Default: "tesseract", Help: "The tesseract to use: a name on the PATH of the worker, or a path."},
		{Name: "extract.ocr_languages", Default: "eng", Help: "Languages that are looked for in pictures, as tesseract calls them, joined with +: eng+por. Each one more takes time; docsvc config check lists what is installed."},
		{Name: "extract.ocr_page_timeout", Default: "1m", Help: "Longest time the recognition of one page may take; then the page is missing."},
		{Name: "extract.ocr_timeout", Default: "15m", Help: "Longest time it may take in all pages of a file, beside extract.timeout; pages left then are missing."},
		{Name: "extract.recycle_after", Default: "200", Help: "Files a parser process reads before a new one takes its place; one that holds more than half of extract.memory is replaced at once."},
		{Name: "extract.cache_dir", Help: "Directory for the PDF engine's compiled code; empty: docsvc below the user's cache directory."},

		{Name: "chunks.max_tokens", Default: "500", Help: "Most tokens in a chunk."},
		{Name: "chunks.overlap", Default: "50", Help: "Tokens repeated from the chunk before, in whole sentences."},

		{Name: "cleanup.older_than", Default: "24h", Help: "Age from which cleanup looks at an object."},
		{Name: "cleanup.daily_at", Default: "02:00", Help: "Local time of the daily cleanup of serve --standalone; empty: none."},

		{Name: "log.level", Default: "info", Help: "debug, info, warn or error."},
		{Name: "log.format", Default: "auto", Help: "json, console, or auto: console on a terminal."},
	}
}
