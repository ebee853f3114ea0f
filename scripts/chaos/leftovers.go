package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/minio/minio-go/v7"

	"github.com/docsvc/docsvc/pkg/document"
)

// rebuild has docsvc make the records again that a power failure of Redis took,
// where the bucket knows the document, as whoever runs it is told to.
func (x *run) rebuild(ctx context.Context, o *outcome) error {
	if !x.o.power {
		return nil
	}
	out, failed := x.site.docsvc(ctx, "documents", "rebuild", "-o", "json")
	if err := json.Unmarshal([]byte(out), &o.rebuilt); err != nil {
		return fmt.Errorf("reading the report of documents rebuild: %w; %w", err, failed)
	}
	if failed != nil {
		add(&o.findings.wrong, "%v: %+v", failed, o.rebuilt.Problems)
	}
	return nil
}

// cleanUp has docsvc remove what killed processes left in the bucket.
func (x *run) cleanUp(ctx context.Context) error {
	_, err := x.site.docsvc(ctx, "cleanup", "daily", "--older-than", "1h", "--now")
	return err
}

// verifyBucket looks for objects that nothing needs any more.
func (x *run) verifyBucket(ctx context.Context, f *findings) error {
	records, err := x.records(ctx)
	if err != nil {
		return err
	}
	ours := x.acknowledged()
	for o := range x.site.store.ListObjects(ctx, bucket, minio.ListObjectsOptions{Recursive: true}) {
		if o.Err != nil {
			return fmt.Errorf("listing the bucket: %w", o.Err)
		}
		if id, _, ok := document.ParseUploadKey(o.Key); ok {
			status := records[id]["status"]
			if ours[id] != nil && (status == "" || status == "completed" || status == "duplicate") {
				add(&f.leftover, "upload %s of a document that is %q", o.Key, status)
			}
			continue
		}
		id, execution, name, ok := document.ParseArtifactKey(o.Key)
		if !ok || ours[id] == nil || execution == document.RecordExecution && len(records[id]) > 0 {
			continue
		}
		if x.forgotten(ours[id], records[id]["status"]) && name != document.ManifestName {
			continue // of a run that did not come to its end: removed when its URL has run out
		}
		if r := records[id]; r["status"] != "completed" || r["execution_id"] != execution {
			add(&f.leftover, "artifact %s of a document that is %q by execution %q", o.Key, r["status"], r["execution_id"])
		}
	}
	return nil
}

// empty are the keys that nothing may stand in when everything has ended and
// every worker has left. The names of killed workers stay until they expire.
var empty = []string{"rq:wip:*", "rq:executions:*", "rq:execution:*", "rq:queue:*", "rq:scheduled:*", "rq:deferred:*",
	"docsvc:lease:*", "docsvc:scratch:*", "docsvc:docs:unsaved"}

// verifyRedis looks for what executions and workers left behind, and has fsck
// compare all keys with one another.
func (x *run) verifyRedis(ctx context.Context, f *findings) error {
	for _, pattern := range empty {
		scan := x.site.rdb.Scan(ctx, 0, pattern, 1000).Iterator()
		for scan.Next(ctx) {
			add(&f.leftover, "key %s", scan.Val())
		}
		if err := scan.Err(); err != nil {
			return fmt.Errorf("looking for leftovers: %w", err)
		}
	}
	return x.fsck(ctx, f)
}

// fsck has docsvc compare all keys with one another. The names of killed
// workers are RQ's to clean, every ten minutes.
func (x *run) fsck(ctx context.Context, f *findings) error {
	out, failed := x.site.docsvc(ctx, "queue", "fsck", "--age", "2s", "-o", "json")
	var report struct {
		Findings []struct{ Kind, Key, Problem string } `json:"findings"`
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		return fmt.Errorf("reading the report of fsck: %w; %w", err, failed)
	}
	for _, x := range report.Findings {
		if x.Kind != "dead_worker" {
			add(&f.leftover, "fsck: %s %s: %s", x.Kind, x.Key, x.Problem)
		}
	}
	return nil
}

// verifyLedger asks docsvc for its own account of all documents. One that can't
// be read, or hasn't counted everything yet, accounts for nothing.
func (x *run) verifyLedger(ctx context.Context, f *findings) (string, error) {
	out, err := x.site.docsvc(ctx, "queue", "health", "-o", "json")
	var h struct {
		Ledger *document.Ledger `json:"ledger"`
	}
	if jsonErr := json.Unmarshal([]byte(out), &h); jsonErr != nil {
		return "", fmt.Errorf("reading queue health: %w; %w", jsonErr, err)
	}
	l := h.Ledger
	switch {
	case l == nil:
		add(&f.wrong, "ledger: queue health can't read it")
		return "unknown", nil
	case !l.Complete, l.Unaccounted != 0:
		add(&f.wrong, "ledger: %+v", *l)
	}
	return fmt.Sprint(l.Unaccounted), nil
}
