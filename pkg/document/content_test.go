package document

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq"
	"github.com/docsvc/docsvc/pkg/s3test"
)

func readAll(t *testing.T, c *Content, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Body.Close() }()
	b, err := io.ReadAll(c.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestTextAndChunks(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		up, _ := f.queued()
		_, err := f.Text(t.Context(), up.DocumentID)
		if e := wantError(t, err, Conflict, CodeNotReady); e.State != Uploaded {
			t.Errorf("state %s", e.State)
		}
		_, err = f.Chunks(t.Context(), up.DocumentID, 10, "")
		wantError(t, err, Conflict, CodeNotReady)
		f.complete("s1", "t1")
		c, err := f.Text(t.Context(), up.DocumentID)
		if got := readAll(t, c, err); got != "hello world" || c.Size != 11 || !strings.HasPrefix(c.ContentType, "text/markdown") {
			t.Errorf("%q %+v", got, c)
		}
		page, err := f.Chunks(t.Context(), up.DocumentID, 1, "")
		if err != nil || len(page.Items) != 1 || string(page.Items[0]) != `{"index":0}` || page.NextCursor != "12" || page.Total != 2 {
			t.Fatalf("%+v, %v", page, err)
		}
		page, err = f.Chunks(t.Context(), up.DocumentID, 100, page.NextCursor)
		if err != nil || len(page.Items) != 1 || string(page.Items[0]) != `{"index":1}` || page.NextCursor != "" {
			t.Fatalf("%+v, %v", page, err)
		}
		for _, cursor := range []string{"5", "25", "1000000", "-1", "x", "0x1"} {
			_, err := f.Chunks(t.Context(), up.DocumentID, 10, cursor)
			if e := wantError(t, err, Invalid, CodeInvalid); e.Field != "cursor" {
				t.Errorf("cursor %s: field %s", cursor, e.Field)
			}
		}
		// The end of the list is a place in it.
		if page, err = f.Chunks(t.Context(), up.DocumentID, 10, "24"); err != nil || len(page.Items) != 0 || page.NextCursor != "" {
			t.Errorf("%+v, %v", page, err)
		}
	})
}

func TestLargeTextIsALink(t *testing.T) {
	t.Parallel()
	f := newFixture(t, redistest.Start(t, redistest.Miniredis), func(c *Config) { c.InlineLimit = 10 })
	up, _ := f.queued()
	f.complete("s1", "t1")
	c, err := f.Text(t.Context(), up.DocumentID)
	if err != nil || c.Body != nil || c.URL == "" {
		t.Fatalf("%+v, %v", c, err)
	}
	resp, err := (&http.Client{Transport: f.s3.Transport(t)}).Get(c.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if b, _ := io.ReadAll(resp.Body); string(b) != "hello world" || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/markdown") {
		t.Errorf("%q %v", b, resp.Header)
	}
}

func TestDuplicateAnswersTheFirst(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		one, _ := f.queued()
		f.complete("s1", "t1")
		two, _ := f.queued()
		c, d := f.begin()
		m := f.manifest(d, c.Execution.ID, "s1", "")
		if holder, err := f.ClaimHolder(t.Context(), d, "s1", ""); err != nil || holder != one.DocumentID {
			t.Fatalf("%q, %v", holder, err)
		}
		effects, conditions := f.Duplicate(d, one.DocumentID, m)
		if done := f.finish(c, rq.Outcome{Kind: rq.OutcomeFinish, Effects: effects, Conditions: conditions}); done.Err != nil {
			t.Fatal(done.Err)
		}
		if d := f.wantState(two.DocumentID, Duplicate); d.DuplicateOf != one.DocumentID || d.ExecutionID != "" {
			t.Errorf("%+v", d)
		}
		text, err := f.Text(t.Context(), two.DocumentID)
		if got := readAll(t, text, err); got != "hello world" {
			t.Errorf("%q", got)
		}
		page, err := f.Chunks(t.Context(), two.DocumentID, 10, "")
		if err != nil || len(page.Items) != 2 || page.Total != 2 {
			t.Errorf("%+v, %v", page, err)
		}
		f.rdb.Del(t.Context(), f.k.document(one.DocumentID))
		_, err = f.Text(t.Context(), two.DocumentID)
		if e := wantError(t, err, Gone, CodeDuplicateGone); !strings.Contains(e.Detail, one.DocumentID) {
			t.Error(e.Detail)
		}
	})
}

func TestOriginal(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		up := f.presign(5, nil)
		_, err := f.Original(t.Context(), up.DocumentID)
		wantError(t, err, Conflict, CodeNotReady)
		f.put(up, "hello")
		f.process(up, nil)
		c, err := f.Original(t.Context(), up.DocumentID)
		if got := readAll(t, c, err); got != "hello" || c.Filename != "manual.pdf" || c.ContentType != "application/pdf" {
			t.Errorf("%q %+v", got, c)
		}
		f.put(up, "jello") // not what was accepted
		_, err = f.Original(t.Context(), up.DocumentID)
		wantError(t, err, Gone, CodeOriginalRemoved)
		d, _ := f.complete("s1", "t1")
		if err := f.UploadRemoved(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		_, err = f.Original(t.Context(), up.DocumentID)
		if e := wantError(t, err, Gone, CodeOriginalRemoved); !strings.Contains(e.Detail, "storage.keep_original") {
			t.Error(e.Detail)
		}
		// Kept beside the artifacts; a duplicate of the same bytes has it, too.
		kept := OriginalKey(d.ID, "e1")
		f.object(kept, "hello")
		f.rdb.HSet(t.Context(), f.k.document(d.ID), "original_key", kept)
		c, err = f.Original(t.Context(), d.ID)
		if got := readAll(t, c, err); got != "hello" {
			t.Errorf("%q", got)
		}
		two, _ := f.queued()
		claimed, second := f.begin()
		effects, conditions := f.Duplicate(second, d.ID, f.manifest(second, claimed.Execution.ID, "s1", ""))
		f.finish(claimed, rq.Outcome{Kind: rq.OutcomeFinish, Effects: effects, Conditions: conditions})
		c, err = f.Original(t.Context(), two.DocumentID)
		if got := readAll(t, c, err); got != "hello" {
			t.Errorf("%q", got)
		}
	})
}

func TestContentWhenStorageFails(t *testing.T) {
	t.Parallel()
	f := newFixture(t, redistest.Start(t, redistest.Miniredis), nil)
	up, _ := f.queued()
	d, _ := f.complete("s1", "t1")
	execution := f.get(d.ID).ExecutionID
	f.s3.Fail(func(*http.Request) *s3test.Fault { return &s3test.Fault{Status: http.StatusServiceUnavailable} })
	for name, call := range map[string]func() error{
		"text":   func() error { _, err := f.Text(t.Context(), up.DocumentID); return err },
		"chunks": func() error { _, err := f.Chunks(t.Context(), up.DocumentID, 1, ""); return err },
	} {
		t.Log(name)
		wantError(t, call(), Unavailable, CodeStorageUnavailable)
	}
	f.s3.Fail(nil)
	f.object(ArtifactPrefix(d.ID, execution)+ChunksName, "{\"index\":0}\n{\"ind")
	_, err := f.Chunks(t.Context(), up.DocumentID, 10, "")
	wantError(t, err, Internal, CodeArtifactMissing)
	f.store.Delete(t.Context(), ArtifactPrefix(d.ID, execution)+TextName)
	_, err = f.Text(t.Context(), up.DocumentID)
	wantError(t, err, Internal, CodeArtifactMissing)
}

func TestChunksOfManyLines(t *testing.T) {
	t.Parallel()
	f := newFixture(t, redistest.Start(t, redistest.Miniredis), nil)
	up, _ := f.queued()
	d, _ := f.complete("s1", "t1")
	var b strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&b, `{"index":%d,"text":"%s"}`+"\n", i, strings.Repeat("ä", i*100%70_000))
	}
	f.object(ArtifactPrefix(d.ID, f.get(d.ID).ExecutionID)+ChunksName, b.String())
	n, cursor := 0, ""
	for {
		page, err := f.Chunks(t.Context(), up.DocumentID, 77, cursor)
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range page.Items {
			if !strings.HasPrefix(string(item), fmt.Sprintf(`{"index":%d,`, n)) {
				t.Fatalf("chunk %d is %.30s", n, item)
			}
			n++
		}
		if cursor = page.NextCursor; cursor == "" {
			break
		}
	}
	if n != 1000 {
		t.Errorf("%d chunks", n)
	}
}
