package document

import (
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// documents makes documents whose records are as after Presign, n in each
// millisecond from the clock's time on, and returns their ids, newest first.
func (f *fixture) documents(n int, each int, change func(i int, d *Document)) []string {
	f.t.Helper()
	pipe := f.rdb.Pipeline()
	var ids []string
	for i := range n {
		at := f.clock.now().Add(time.Duration(i/each) * time.Millisecond)
		id, err := newID(at)
		if err != nil {
			f.t.Fatal(err)
		}
		d := &Document{ID: id, Owner: DefaultOwner, Status: AwaitingUpload, CreatedAt: at, UpdatedAt: at, FileSize: 1,
			Filename: fmt.Sprintf("file-%d.pdf", i), UploadID: id, JobID: id, UploadExpiresAt: at.Add(time.Hour)}
		if change != nil {
			change(i, d)
		}
		for _, e := range f.creation(d) {
			args := []any{string(e.Op), e.Key}
			for _, a := range e.Args {
				args = append(args, a)
			}
			pipe.Do(f.t.Context(), args...)
		}
		ids = append(ids, id)
		if i%500 == 499 { // a slow engine takes no more in one write's time
			if _, err := pipe.Exec(f.t.Context()); err != nil {
				f.t.Fatal(err)
			}
		}
	}
	if _, err := pipe.Exec(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	f.clock.forward(time.Duration(n/each+1) * time.Millisecond)
	slices.Sort(ids)
	slices.Reverse(ids)
	return ids
}

// remove takes a document away as Delete does.
func (f *fixture) remove(id string) {
	f.t.Helper()
	d := f.get(id)
	pipe := f.rdb.TxPipeline()
	pipe.Del(f.t.Context(), f.k.document(id))
	for _, index := range []string{f.k.all(), f.k.byState(d.Status), f.k.byOwner(d.Owner), f.k.openUploads()} {
		pipe.ZRem(f.t.Context(), index, id)
	}
	for _, tag := range d.Tags {
		pipe.ZRem(f.t.Context(), f.k.byTag(tag), id)
	}
	if _, err := pipe.Exec(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) list(q ListQuery) *DocumentPage {
	f.t.Helper()
	page, err := f.List(f.t.Context(), q)
	if err != nil {
		f.t.Fatal(err)
	}
	return page
}

// walk lists all pages and returns their ids.
func (f *fixture) walk(q ListQuery) []string {
	f.t.Helper()
	var ids []string
	for {
		page := f.list(q)
		ids = append(ids, idsOf(page)...)
		if q.Cursor = page.NextCursor; q.Cursor == "" {
			return ids
		}
	}
}

func idsOf(page *DocumentPage) []string {
	ids := []string{}
	for _, d := range page.Documents {
		ids = append(ids, d.ID)
	}
	return ids
}

func sameIDs(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("%s: got %d ids %.300q, want %d %.300q", what, len(got), got, len(want), want)
	}
}

func TestListPagesThroughAll(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		if page := f.list(ListQuery{}); page.Documents == nil || len(page.Documents) != 0 || page.NextCursor != "" || *page.Total != 0 {
			t.Fatalf("nothing there: %+v", page)
		}
		ids := f.documents(47, 4, nil) // four of the same millisecond
		for _, limit := range []int{1, 3, 7, 47, 48, 100} {
			sameIDs(t, fmt.Sprint("limit ", limit), f.walk(ListQuery{Limit: limit}), ids)
		}
		page := f.list(ListQuery{})
		if sameIDs(t, "default limit", idsOf(page), ids[:20]); *page.Total != 47 {
			t.Errorf("total %d", *page.Total)
		}
		last := f.list(ListQuery{Limit: 47})
		if last.NextCursor != "" {
			t.Error("a cursor though nothing follows")
		}
		f.clock.forward(time.Hour)
		if d := page.Documents[0]; d.Filename == "" || d.CreatedAt.IsZero() || d.Status != AwaitingUpload {
			t.Errorf("not the whole record: %+v", d)
		}
	})
}

func TestListIsStableWhileDocumentsComeAndGo(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ids := f.documents(30, 10, nil)
		page := f.list(ListQuery{Limit: 4})
		sameIDs(t, "first page", idsOf(page), ids[:4])
		f.documents(25, 25, nil)     // newer ones
		for _, id := range ids[:6] { // with the one that the cursor names, and the two after it
			f.remove(id)
		}
		page = f.list(ListQuery{Limit: 5, Cursor: page.NextCursor})
		sameIDs(t, "page after deletions", idsOf(page), ids[6:11])
		f.remove(ids[10]) // again that of the cursor, in the middle of a millisecond
		f.remove(ids[2+10])
		rest := f.walk(ListQuery{Limit: 3, Cursor: page.NextCursor})
		sameIDs(t, "rest", rest, append([]string{ids[11]}, ids[13:]...))
	})
}

func TestListAfterAllOfAMillisecondWereDeleted(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ids := f.documents(40, 20, nil)
		for _, at := range []int{0, 1, 18, 19, 20, 38} {
			cursor := f.list(ListQuery{Limit: at + 1}).NextCursor
			f.remove(ids[at])
			sameIDs(t, fmt.Sprint("after ", at), f.walk(ListQuery{Limit: 100, Cursor: cursor}), ids[at+1:])
			// Put it back under the same id.
			_, d := f, &Document{ID: ids[at], Owner: DefaultOwner, Status: AwaitingUpload, CreatedAt: f.clock.now(), UploadID: ids[at], JobID: ids[at]}
			if err := f.queue.Apply(t.Context(), nil, f.creation(d), nil); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestListFilters(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ids := f.documents(60, 5, func(i int, d *Document) {
			if i%2 == 0 {
				d.Tags = append(d.Tags, "even")
			}
			if i%3 == 0 {
				d.Tags, d.Status = append(d.Tags, "Über, alles"), Failed
			}
			if i%10 == 0 {
				d.Title = "Relatório Anual"
			}
		})
		where := func(ok func(i int) bool) []string {
			var want []string
			for _, id := range ids {
				var i int
				if _, err := fmt.Sscanf(f.get(id).Filename, "file-%d.pdf", &i); err != nil {
					t.Fatal(err)
				}
				if ok(i) {
					want = append(want, id)
				}
			}
			return want
		}
		for name, c := range map[string]struct {
			q     ListQuery
			want  []string
			total bool
		}{
			"status":                 {ListQuery{Status: Failed}, where(func(i int) bool { return i%3 == 0 }), true},
			"status of none":         {ListQuery{Status: Completed}, nil, true},
			"tag":                    {ListQuery{Tag: "even"}, where(func(i int) bool { return i%2 == 0 }), true},
			"tag as given":           {ListQuery{Tag: "Über, alles"}, where(func(i int) bool { return i%3 == 0 }), true},
			"tag of another case":    {ListQuery{Tag: "über, alles"}, nil, true},
			"a part of a tag":        {ListQuery{Tag: "alles"}, nil, true},
			"status and tag":         {ListQuery{Status: Failed, Tag: "even"}, where(func(i int) bool { return i%6 == 0 }), false},
			"tag and status":         {ListQuery{Status: AwaitingUpload, Tag: "Über, alles"}, nil, false},
			"search":                 {ListQuery{Search: "  ANUAL relat "}, where(func(i int) bool { return i%10 == 0 }), false},
			"search in names":        {ListQuery{Search: "file 4"}, where(func(i int) bool { return i == 4 || i/10 == 4 }), false},
			"search of nothing":      {ListQuery{Search: "nowhere"}, nil, false},
			"search, tag and status": {ListQuery{Search: "anual", Tag: "even", Status: Failed}, where(func(i int) bool { return i%30 == 0 }), false},
		} {
			for _, limit := range []int{1, 7, 100} {
				c.q.Limit = limit
				sameIDs(t, fmt.Sprint(name, " limit ", limit), f.walk(c.q), c.want)
				page := f.list(c.q)
				if (page.Total != nil) != c.total || c.total && *page.Total != int64(len(c.want)) {
					t.Errorf("%s: total %v", name, page.Total)
				}
			}
		}
	})
}

func TestListRefusesWrongQueries(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		for field, q := range map[string]ListQuery{
			"limit":  {Limit: 101},
			"status": {Status: "done"},
			"tag":    {Tag: "a\x00b"},
			"search": {Search: "\xff"},
			"sha256": {SHA256: "abc"},
			"cursor": {Cursor: "AAAA"},
		} {
			_, err := f.List(t.Context(), q)
			if e := wantError(t, err, Invalid, CodeInvalid); e.Field != field {
				t.Errorf("%s: field %s", field, e.Field)
			}
		}
		_, err := f.List(t.Context(), ListQuery{Limit: -1})
		wantError(t, err, Invalid, CodeInvalid)
		_, err = f.List(t.Context(), ListQuery{Search: "?!"})
		wantError(t, err, Invalid, CodeInvalid)
		_, err = f.withoutRedis().List(t.Context(), ListQuery{})
		wantError(t, err, Unavailable, CodeQueueUnavailable)
		_, err = f.withoutRedis().List(t.Context(), ListQuery{Search: "x"})
		wantError(t, err, Unavailable, CodeQueueUnavailable)
	})
}

func TestListRefusesForeignCursors(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ids := f.documents(10, 2, func(_ int, d *Document) { d.Tags = []string{"a", "b"} })
		cursor := f.list(ListQuery{Limit: 2, Tag: "a"}).NextCursor
		sameIDs(t, "another limit", idsOf(f.list(ListQuery{Limit: 5, Tag: "a", Cursor: cursor})), ids[2:7])
		for name, q := range map[string]ListQuery{
			"no filter": {}, "another tag": {Tag: "b"}, "a filter more": {Tag: "a", Status: AwaitingUpload},
			"a search more": {Tag: "a", Search: "file"}, "the same text elsewhere": {Search: "a"},
		} {
			q.Cursor = cursor
			if _, err := f.List(t.Context(), q); err == nil {
				t.Errorf("%s: taken", name)
			} else if e := wantError(t, err, Invalid, CodeInvalid); e.Field != "cursor" {
				t.Errorf("%s: field %s", name, e.Field)
			}
		}
		raw, err := base64.RawURLEncoding.DecodeString(cursor)
		if err != nil {
			t.Fatal(err)
		}
		for i := range raw {
			changed := slices.Clone(raw)
			changed[i] ^= 0x10
			_, err := f.List(t.Context(), ListQuery{Tag: "a", Cursor: base64.RawURLEncoding.EncodeToString(changed)})
			wantError(t, err, Invalid, CodeInvalid)
		}
		made := filter{tag: "a"}
		for _, score := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			_, err := f.List(t.Context(), ListQuery{Tag: "a", Cursor: made.cursor(place{id: ids[0], score: score})})
			wantError(t, err, Invalid, CodeInvalid)
		}
		for _, id := range []string{"x", "\x00", ids[0] + "!"} { // a place like any other
			f.list(ListQuery{Tag: "a", Cursor: made.cursor(place{id: id, score: 1})})
		}
		for _, text := range []string{cursor + "=", cursor + "A", cursor[:len(cursor)-1], cursor[:20], " " + cursor, "\x00", "ä"} {
			_, err := f.List(t.Context(), ListQuery{Tag: "a", Cursor: text})
			wantError(t, err, Invalid, CodeInvalid)
		}
	})
}

func TestListLeavesOutWhatItCannotRead(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		ids := f.documents(12, 1, func(_ int, d *Document) { d.Tags = []string{"x"} })
		f.rdb.Del(ctx, f.k.document(ids[1]))                           // deleted by another tool
		f.rdb.HSet(ctx, f.k.document(ids[3]), "file_size", "a lot")    // damaged
		f.rdb.HSet(ctx, f.k.document(ids[5]), "tags", "x")             // damaged
		f.rdb.HSet(ctx, f.k.document(ids[7]), "schema", "2")           // of a newer version
		f.rdb.Del(ctx, f.k.document(ids[9]))                           //
		f.rdb.Set(ctx, f.k.document(ids[9]), "of another type", 0)     //
		f.rdb.ZAdd(ctx, f.k.all(), redis.Z{Score: 1e15, Member: "no"}) // no id at all
		want := []string{ids[0], ids[2], ids[4], ids[6], ids[8], ids[10], ids[11]}
		for _, q := range []ListQuery{{}, {Tag: "x"}, {Search: "file"}, {Tag: "x", Status: AwaitingUpload}} {
			for _, q.Limit = range []int{1, 2, 5, 100} {
				sameIDs(t, fmt.Sprintf("%+v", q), f.walk(q), want)
			}
		}
	})
}

// A page of a search looks at a bounded number of documents.
func TestListLooksAtABoundedNumber(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		const n = 2*maxLooked + 100
		ids := f.documents(n, 50, func(i int, d *Document) {
			if i == 0 {
				d.Title = "rare"
			}
		})
		q := ListQuery{Search: "rare"}
		for range 2 {
			page := f.list(q)
			if len(page.Documents) != 0 || page.NextCursor == "" || page.NextCursor == q.Cursor || page.Total != nil {
				t.Fatalf("%d documents, cursor %q", len(page.Documents), page.NextCursor)
			}
			q.Cursor = page.NextCursor
		}
		page := f.list(q)
		if page.NextCursor != "" || len(page.Documents) != 1 || page.Documents[0].Title != "rare" {
			t.Fatalf("%d documents, cursor %q", len(page.Documents), page.NextCursor)
		}
		if got := f.walk(ListQuery{Search: "nowhere"}); len(got) != 0 {
			t.Errorf("found %q", got)
		}
		sameIDs(t, "frequent", idsOf(f.list(ListQuery{Search: "file", Limit: 100})), ids[:100])
	})
}

func TestListBySHA256(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		sum := fmt.Sprintf("%064x", 7)
		ids := f.documents(4, 1, nil)
		for _, id := range ids[:3] {
			f.rdb.HSet(ctx, f.k.document(id), "file_hash", sum)
		}
		if page := f.list(ListQuery{SHA256: sum}); len(page.Documents) != 0 || page.NextCursor != "" {
			t.Fatalf("%+v", page)
		}
		f.rdb.Set(ctx, f.k.sha256(DefaultOwner, sum), ids[2], 0)
		f.rdb.Set(ctx, f.k.file(DefaultOwner, sum), ids[0], 0)
		sameIDs(t, "both", idsOf(f.list(ListQuery{SHA256: "  " + sum})), []string{ids[0], ids[2]})
		sameIDs(t, "pages", f.walk(ListQuery{SHA256: sum, Limit: 1}), []string{ids[0], ids[2]})
		sameIDs(t, "other filters", idsOf(f.list(ListQuery{SHA256: sum, Search: "file 3"})), []string{ids[0]})
		f.rdb.Set(ctx, f.k.sha256(DefaultOwner, sum), ids[0], 0)
		sameIDs(t, "the same twice", idsOf(f.list(ListQuery{SHA256: sum})), []string{ids[0]})
		f.rdb.Set(ctx, f.k.sha256(DefaultOwner, sum), ids[3], 0) // of other bytes
		f.remove(ids[0])
		if page := f.list(ListQuery{SHA256: sum}); len(page.Documents) != 0 {
			t.Fatalf("%+v", page.Documents)
		}
	})
}
