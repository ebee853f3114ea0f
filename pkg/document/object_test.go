package document

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/docsvc/docsvc/pkg/rq"
	"github.com/docsvc/docsvc/pkg/rq/pickle"
)

// Arguments are taken as Python takes them, and what is wrong is named.
func TestObjectArguments(t *testing.T) {
	t.Parallel()
	type kw = map[string]any
	for name, test := range map[string]struct {
		args   []any
		kwargs kw
		want   ObjectRequest
		wrong  string // in the error, "" for none
	}{
		"position":         {args: []any{"a/b.pdf"}, want: ObjectRequest{Key: "a/b.pdf"}},
		"name":             {kwargs: kw{"key": "a/b.pdf"}, want: ObjectRequest{Key: "a/b.pdf"}},
		"all by position":  {args: []any{"k", "t", []any{"x", "y"}, "s"}, want: ObjectRequest{Key: "k", Title: "t", Tags: []string{"x", "y"}, SHA256: "s"}},
		"both":             {args: []any{"k", "t"}, kwargs: kw{"tags": pickle.Tuple{"x"}, "sha256": "s"}, want: ObjectRequest{Key: "k", Title: "t", Tags: []string{"x"}, SHA256: "s"}},
		"None":             {args: []any{"k", nil, nil, nil}, want: ObjectRequest{Key: "k"}},
		"none":             {wrong: "key is missing"},
		"key None":         {args: []any{nil}, wrong: "key is missing"},
		"key a number":     {args: []any{int64(7)}, wrong: "key must be text, got an int"},
		"key bytes":        {args: []any{[]byte("k")}, wrong: "key must be text, got bytes"},
		"key a list":       {kwargs: kw{"key": []any{"k"}}, wrong: "key must be text, got a list"},
		"title a number":   {args: []any{"k", 1.5}, wrong: "title must be text, got a float"},
		"sha256 a bool":    {args: []any{"k"}, kwargs: kw{"sha256": true}, wrong: "sha256 must be text, got a bool"},
		"tags a text":      {args: []any{"k"}, kwargs: kw{"tags": "x"}, wrong: "tags must be a list of texts, got a str"},
		"tags a set":       {args: []any{"k"}, kwargs: kw{"tags": pickle.Set{"x"}}, wrong: "tags must be a list of texts, got a set"},
		"a tag a number":   {args: []any{"k"}, kwargs: kw{"tags": []any{"x", int64(2)}}, wrong: "one of them is an int"},
		"a tag None":       {args: []any{"k"}, kwargs: kw{"tags": []any{nil}}, wrong: "one of them is None"},
		"too many":         {args: []any{"k", "t", nil, nil, "more"}, wrong: "4 arguments at most, got 5"},
		"unknown name":     {args: []any{"k"}, kwargs: kw{"Title": "t"}, wrong: `no argument "Title"`},
		"twice":            {args: []any{"k"}, kwargs: kw{"key": "l"}, wrong: "key is given twice"},
		"twice, one None":  {args: []any{"k", nil}, kwargs: kw{"title": "t"}, wrong: "title is given twice"},
		"an opaque object": {args: []any{&pickle.Opaque{Global: "a.B"}}, wrong: "key must be text, got something else"},
	} {
		j := &rq.Job{ID: "j", Func: ObjectFunc, Args: test.args, Kwargs: test.kwargs}
		got, err := ObjectArguments(j)
		if test.wrong != "" {
			e := wantError(t, err, Invalid, CodeInvalid)
			if !strings.Contains(e.Detail, test.wrong) || !strings.Contains(e.Detail, "docsvc.process_object(key, ") {
				t.Errorf("%s: %s; want it to say %q", name, e.Detail, test.wrong)
			}
			if _, ok := IDFromJob(j); ok {
				t.Errorf("%s: it has a document", name)
			}
			continue
		}
		if err != nil || got.Key != test.want.Key || got.Title != test.want.Title || got.SHA256 != test.want.SHA256 ||
			strings.Join(got.Tags, ",") != strings.Join(test.want.Tags, ",") {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, test.want)
		}
	}
}

// Every transition gives the same document, whatever it knows of the job.
func TestObjectDocumentID(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 12, 0, 0, 123456000, time.UTC)
	j := &rq.Job{ID: "nightly", Func: ObjectFunc, Args: []any{"k"}, CreatedAt: at}
	id := ObjectDocumentID(j)
	u, err := uuid.Parse(id)
	if err != nil || u.Version() != 7 || u.Variant() != uuid.RFC4122 || !validID(id) || score(id, time.Time{}) != float64(at.UnixMilli()) {
		t.Fatalf("%s: %v, version %d; score %v, want %d", id, err, u.Version(), score(id, time.Time{}), at.UnixMilli())
	}
	for name, other := range map[string]struct {
		job  *rq.Job
		same bool
	}{
		"whole milliseconds": {&rq.Job{ID: j.ID, Func: ObjectFunc, Args: j.Args, CreatedAt: at.Truncate(time.Millisecond)}, true},
		"other arguments":    {&rq.Job{ID: j.ID, Func: ObjectFunc, Args: []any{"l"}, CreatedAt: at}, true},
		"payload not loaded": {&rq.Job{ID: j.ID, Description: "docsvc.process_object('k', title='t')", CreatedAt: at}, true},
		"enqueued anew":      {&rq.Job{ID: j.ID, Func: ObjectFunc, Args: j.Args, CreatedAt: at.Add(time.Second)}, false},
		"another job":        {&rq.Job{ID: "nightly2", Func: ObjectFunc, Args: j.Args, CreatedAt: at}, false},
	} {
		got, ok := IDFromJob(other.job)
		if !ok || (got == id) != other.same {
			t.Errorf("%s: %s, %v; the first was %s", name, got, ok, id)
		}
	}
	for name, odd := range map[string]time.Time{"no time": {}, "before 1970": time.Unix(-5, 0), "far ahead": time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if id := ObjectDocumentID(&rq.Job{ID: "j", CreatedAt: odd}); !validID(id) {
			t.Errorf("%s: %s is no id", name, id)
		}
	}
	if up := objectUploadID(j); !validID(up) || up != objectUploadID(j) || uuid.MustParse(up).Version() != 4 {
		t.Errorf("upload id %s", up)
	}
}

func TestObjectFilename(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ä", 300)
	for key, want := range map[string]string{
		"manual.pdf": "manual.pdf", "a/b/relatório ação.pdf": "relatório ação.pdf", "/a.txt": "a.txt", "a//b.txt": "b.txt",
		"a/x\ny\u202e.txt": "x_y_.txt", `a/b\c.txt`: "b_c.txt", "a/ ": "object", "a/" + long + ".pdf": strings.Repeat("ä", 251) + ".pdf",
	} {
		got := objectFilename(key)
		if got != want {
			t.Errorf("%q: %q, want %q", key, got, want)
		}
		if err := validFilename(got); err != nil {
			t.Errorf("%q: %v", got, err)
		}
	}
}

// A key is any of S3's but those that docsvc keeps, below the prefix or not.
func TestObjectKeysThatAreRefused(t *testing.T) {
	t.Parallel()
	f := newObjectFixture(t, "team/a")
	for _, key := range []string{
		"", "  ", "a/", "a/../b", "./a", "a/.", "..", "a\x00b", "a\xffb", strings.Repeat("k", 1025),
		"team/a/temp/x/y", "team/a/documents/x/y/text.md", "team/a/docsvc.json", "/team/a/temp/x", "team//a/temp/x", "//team/a//documents/x",
	} {
		_, err := f.TakeObject(t.Context(), ObjectRequest{Key: key})
		if e := wantError(t, err, Invalid, CodeInvalid); e.Field != "key" || !strings.HasPrefix(e.Detail, "key ") {
			t.Errorf("%q: field %q: %s", key, e.Field, e.Detail)
		}
	}
	for _, key := range []string{"temp/x", "documents/x/y/z", "docsvc.json", "team/a/tempo/x", "team/a/docsvc.json.bak", "a..b", "日本/ç ã.txt", "/abs.txt", "a//b.txt", "a\nb", "%41?#&+ .txt"} {
		_, err := f.TakeObject(t.Context(), ObjectRequest{Key: key})
		if e := wantError(t, err, NotFound, CodeObjectNotFound); strings.HasPrefix(key, "/") != strings.Contains(e.Detail, "was \"abs.txt\" meant?") {
			t.Errorf("%q: %s", key, e.Detail)
		}
	}
	if got := f.keyspace(); len(got) != 0 {
		t.Errorf("refused requests left %v", got)
	}
}

var isUUID = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[47][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
