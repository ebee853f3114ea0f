package document

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
)

func TestPresignRecordsThenSigns(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		up := f.presign(5, nil)
		if up.ExpiresIn != time.Hour || up.Method != http.MethodPut || up.Headers != nil || !validID(up.DocumentID) || !validID(up.UploadID) {
			t.Errorf("%+v", up)
		}
		d := f.wantState(up.DocumentID, AwaitingUpload)
		if d.Filename != "manual.pdf" || d.Title != "Manual" || d.FileSize != 5 || d.Owner != DefaultOwner || d.Schema != schema ||
			strings.Join(d.Tags, ",") != "a,b" || d.JobID == "" || d.JobID == d.ID || !d.CreatedAt.Equal(f.clock.now()) {
			t.Errorf("%+v", d)
		}
		ms := float64(f.clock.now().UnixMilli())
		for _, key := range []string{f.k.all(), f.k.byOwner("default"), f.k.byTag("a"), f.k.byTag("b"), f.k.byState(AwaitingUpload)} {
			if got, err := f.rdb.ZScore(t.Context(), key, d.ID).Result(); err != nil || got != ms {
				t.Errorf("%s: score %v, %v, want %v", key, got, err, ms)
			}
		}
		if n, err := f.rdb.Exists(t.Context(), f.k.upload(up.UploadID)).Result(); err != nil || n != 1 {
			t.Errorf("upload hash: %d, %v", n, err)
		}
		// The URL takes what curl --data-binary sends.
		req, err := http.NewRequestWithContext(t.Context(), up.Method, up.UploadURL, strings.NewReader("hello"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := (&http.Client{Transport: f.s3.Transport(t)}).Do(req)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%v, %v", resp, err)
		}
		_ = resp.Body.Close()
		if !f.exists(UploadKey(d.ID, d.UploadID)) {
			t.Error("the upload is not where it should be")
		}
		if events := f.events(); len(events) != 1 || events[0]["document"] != d.ID || events[0]["document_to"] != "awaiting_upload" {
			t.Errorf("events %v", events)
		}
	})
}

// events returns the entries of the events stream.
func (f *fixture) events() []map[string]any {
	f.t.Helper()
	entries, err := f.rdb.XRange(f.t.Context(), f.k.events(), "-", "+").Result()
	if err != nil {
		f.t.Fatal(err)
	}
	var list []map[string]any
	for _, e := range entries {
		list = append(list, e.Values)
	}
	return list
}

func TestPresignWithSHA256SignsLengthTypeAndChecksum(t *testing.T) {
	t.Parallel()
	f := newFixture(t, redistest.Start(t, redistest.Miniredis), nil)
	const sum = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" // of "hello"
	up := f.presign(5, func(n *NewUpload) { n.SHA256 = strings.ToUpper(sum) })
	if up.Headers["Content-Type"] != "application/pdf" || up.Headers["Content-Length"] != "5" || up.Headers["X-Amz-Checksum-Sha256"] == "" {
		t.Errorf("%v", up.Headers)
	}
	if d := f.get(up.DocumentID); d.FileHash != sum {
		t.Errorf("hash %q", d.FileHash)
	}
}

func TestPresignRefusesBadInput(t *testing.T) {
	t.Parallel()
	f := newFixture(t, redistest.Start(t, redistest.Miniredis), func(c *Config) {
		c.Accept = func(contentType, _ string) bool { return contentType != "video/mp4" }
		c.Types = []string{"application/pdf", "text/plain"}
	})
	long := func(n int) string { return strings.Repeat("ä", n) }
	for name, test := range map[string]struct {
		field  string
		code   string
		change func(*NewUpload)
	}{
		"no name":            {"filename", CodeInvalid, func(n *NewUpload) { n.Filename = "" }},
		"blank name":         {"filename", CodeInvalid, func(n *NewUpload) { n.Filename = "  " }},
		"256 characters":     {"filename", CodeInvalid, func(n *NewUpload) { n.Filename = long(256) }},
		"path":               {"filename", CodeInvalid, func(n *NewUpload) { n.Filename = "../../etc/passwd" }},
		"windows path":       {"filename", CodeInvalid, func(n *NewUpload) { n.Filename = `..\boot.ini` }},
		"parent":             {"filename", CodeInvalid, func(n *NewUpload) { n.Filename = ".." }},
		"nul":                {"filename", CodeInvalid, func(n *NewUpload) { n.Filename = "a\x00.pdf" }},
		"line break":         {"filename", CodeInvalid, func(n *NewUpload) { n.Filename = "a\r\nb.pdf" }},
		"direction override": {"filename", CodeInvalid, func(n *NewUpload) { n.Filename = "a\u202efdp.exe" }},
		"broken utf-8":       {"filename", CodeInvalid, func(n *NewUpload) { n.Filename = "a\xff.pdf" }},
		"size 0":             {"file_size", CodeInvalid, func(n *NewUpload) { n.FileSize = 0 }},
		"size -1":            {"file_size", CodeInvalid, func(n *NewUpload) { n.FileSize = -1 }},
		"over 5 GiB":         {"file_size", CodeInvalid, func(n *NewUpload) { n.FileSize = 5368709121 }},
		"type":               {"content_type", CodeUnsupportedType, func(n *NewUpload) { n.ContentType = "video/mp4" }},
		"not a type":         {"content_type", CodeInvalid, func(n *NewUpload) { n.ContentType = "application/" }},
		"long type":          {"content_type", CodeInvalid, func(n *NewUpload) { n.ContentType = "a/" + long(300) }},
		"title":              {"title", CodeInvalid, func(n *NewUpload) { n.Title = long(256) }},
		"title with control": {"title", CodeInvalid, func(n *NewUpload) { n.Title = "a\x1b[2J" }},
		"description":        {"description", CodeInvalid, func(n *NewUpload) { n.Description = long(1001) }},
		"11 tags":            {"tags", CodeInvalid, func(n *NewUpload) { n.Tags = strings.Split("abcdefghijk", "") }},
		"long tag":           {"tags", CodeInvalid, func(n *NewUpload) { n.Tags = []string{long(51)} }},
		"empty tag":          {"tags", CodeInvalid, func(n *NewUpload) { n.Tags = []string{" "} }},
		"short sha256":       {"sha256", CodeInvalid, func(n *NewUpload) { n.SHA256 = "abc" }},
		"sha256 not hex":     {"sha256", CodeInvalid, func(n *NewUpload) { n.SHA256 = strings.Repeat("g", 64) }},
	} {
		n := NewUpload{Filename: "a.pdf", FileSize: 1, ContentType: "application/pdf"}
		test.change(&n)
		_, err := f.Presign(t.Context(), n)
		if e := wantError(t, err, Invalid, test.code); e.Field != test.field {
			t.Errorf("%s: field %q, want %q", name, e.Field, test.field)
		}
	}
	if all := f.keyspace(); len(all) > 0 {
		t.Errorf("refused requests left %v", all)
	}
	for name, change := range map[string]func(*NewUpload){
		"255 characters": func(n *NewUpload) { n.Filename = long(255) },
		"5 GiB":          func(n *NewUpload) { n.FileSize = 5368709120 },
		"no type":        func(n *NewUpload) { n.ContentType = "" },
		"charset":        func(n *NewUpload) { n.ContentType = "text/html; charset=windows-1252" },
		"long texts":     func(n *NewUpload) { n.Title, n.Description = long(255), long(999)+"\n" },
		"10 tags":        func(n *NewUpload) { n.Tags = strings.Split("abcdefghij", "") },
		"same tag twice": func(n *NewUpload) { n.Tags = append(strings.Split("abcdefghi", ""), " a ") },
		"emoji":          func(n *NewUpload) { n.Filename = "👩‍👩‍👧.pdf" },
	} {
		n := NewUpload{Filename: "a.pdf", FileSize: 1, ContentType: "application/pdf"}
		change(&n)
		if _, err := f.Presign(t.Context(), n); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPresignWithoutRedis(t *testing.T) {
	t.Parallel()
	f := newFixture(t, redistest.Start(t, redistest.Miniredis), nil)
	_, err := f.withoutRedis().Presign(t.Context(), NewUpload{Filename: "a.pdf", FileSize: 1})
	wantError(t, err, Unavailable, CodeQueueUnavailable)
}

// A presigned URL needs no storage, once the installation was seen to be
// whole; a document's first step must not fail because of it.
func TestPresignWithoutStorage(t *testing.T) {
	t.Parallel()
	f := newFixture(t, redistest.Start(t, redistest.Miniredis), nil)
	f.presign(5, nil)
	f.s3.Stop()
	f.presign(6, nil)
}

// An upload into a bucket without an installation id would have it refused
// for good: the id is there before the first URL is.
func TestPresignSetsTheInstallationUp(t *testing.T) {
	t.Parallel()
	f := newFixture(t, redistest.Start(t, redistest.Miniredis), nil)
	f.s3.Stop()
	_, err := f.Presign(t.Context(), NewUpload{Filename: "a.pdf", FileSize: 1})
	wantError(t, err, Unavailable, CodeStorageUnavailable)
	f.s3.Restart(t)
	d := f.presign(5, nil)
	f.put(d, "12345")
	if err := f.EnsureInstallation(t.Context()); err != nil {
		t.Errorf("after the first upload: %v", err)
	}
}

func TestIDsAndScores(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 16, 3, 0, 123e6, time.UTC)
	first, err := newID(at)
	if err != nil || !validID(first) || score(first, time.Time{}) != float64(at.UnixMilli()) {
		t.Fatalf("%s, %v: %v", first, err, score(first, time.Time{}))
	}
	second, err := newID(at.Add(time.Millisecond))
	if err != nil || second <= first {
		t.Errorf("%s is not after %s", second, first)
	}
	if got := score("0d5a3ad6-5e1c-4b2e-9a3a-0f2f4bb2a1c0", at); got != float64(at.UnixMilli()) {
		t.Errorf("a version 4 id scored %v", got)
	}
	for key, ok := range map[string]bool{
		UploadKey(first, second): true, "temp/" + first: false, "temp/x/" + second: false, "temp/" + first + "/": false, "documents/" + first + "/x": false,
	} {
		if _, _, got := ParseUploadKey(key); got != ok {
			t.Errorf("%s: %v", key, got)
		}
	}
	if doc, exec, name, ok := ParseArtifactKey(ArtifactPrefix(first, "e1") + TextName); !ok || doc != first || exec != "e1" || name != TextName {
		t.Errorf("%s %s %s %v", doc, exec, name, ok)
	}
	if _, _, _, ok := ParseArtifactKey("documents/" + first + "/text.md"); ok {
		t.Error("an artifact without an execution was taken")
	}
}
