package document

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/docsvc/docsvc/pkg/rq"
)

// A cursor that is let through is one that was given for the same filters.
func FuzzCursor(f *testing.F) {
	filters := filter{status: Completed, tag: "a"}
	for _, at := range []place{{}, {"0d6b5c1e-58a5-7f0e-9d4c-6f0a8a1c2b3d", 1795435200000}, {"x", -1}} {
		f.Add(filters.cursor(at))
	}
	for _, s := range []string{"", "x", "AQ", "////", strings.Repeat("A", 64), "=", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, cursor string) {
		at, err := filters.place(cursor)
		if err != nil || cursor == "" {
			return
		}
		if again := filters.cursor(at); again != cursor {
			t.Errorf("%q is the place %+v, which is written %q", cursor, at, again)
		}
		if _, err := (filter{status: Failed, tag: "a"}).place(cursor); err == nil {
			t.Errorf("%q goes on with other filters", cursor)
		}
	})
}

// Anybody who can write to Redis can enqueue our functions with anything. What
// is found of the document is an id, or nothing.
func FuzzIDFromJob(f *testing.F) {
	id := "0d6b5c1e-58a5-7f0e-9d4c-6f0a8a1c2b3d"
	for _, s := range [][3]string{{ProcessFunc, id, ""}, {ObjectFunc, "inbox/a.pdf", "{}"}, {"", "", ProcessFunc + "('" + id + "')"}, {"", "", ProcessFunc + "(document_id='" + id + "')"},
		{"", "", ObjectFunc + "('x')"}, {ProcessFunc, "..", ""}, {ObjectFunc, "\x00", ""}, {"", "", ProcessFunc + "('"}} {
		f.Add(s[0], s[1], s[2], "j1")
	}
	f.Fuzz(func(t *testing.T, fn, arg, description, job string) {
		for _, j := range []*rq.Job{
			{ID: job, Func: fn, Args: []any{arg}, Description: description},
			{ID: job, Func: fn, Kwargs: map[string]any{"document_id": arg, "key": arg, "title": description}, Description: description},
			{ID: job, Func: fn, Args: []any{arg, description, []any{arg}}, Description: description},
		} {
			if found, ok := IDFromJob(j); ok && !validID(found) {
				t.Errorf("document %q of %+v", found, j)
			}
			if _, err := ObjectArguments(j); err != nil && err.Error() == "" {
				t.Errorf("%+v is refused without a word", j)
			}
		}
	})
}

// A document.json is what the bucket has, which others can write to: what is
// read of it can be written again.
func FuzzManifest(f *testing.F) {
	for _, s := range []string{"{}", "null", "[]", `{"schema":"1.0","document_id":"x","saved_at":"2026-11-23T12:00:00Z"}`, `{"pages":1e30}`, `{"record":{"status":"completed"}}`, `{"tags":null,"unknown":[1]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m := new(Manifest)
		if json.Unmarshal(b, m) != nil {
			return
		}
		_ = m.stamp()
		if _, err := json.Marshal(m); err != nil && !m.stamp().IsZero() && m.stamp().Year() <= 9999 && m.stamp().Year() >= 0 {
			t.Errorf("%q was read and can't be written: %v", b, err)
		}
	})
}
