package document

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/rq"
)

func (f *fixture) patched(id string, p Patch) *Document {
	f.t.Helper()
	d, err := f.Patch(f.t.Context(), id, p)
	if err != nil {
		f.t.Fatal(err)
	}
	return d
}

// tagged lists the documents of each tag.
func (f *fixture) tagged() map[string][]string {
	f.t.Helper()
	all := map[string][]string{}
	for key, members := range f.keyspace() {
		if tag, ok := strings.CutPrefix(key, f.k.byTag("")); ok {
			all[tag] = strings.Fields(members)
		}
	}
	return all
}

func TestPatchChangesWhatIsGiven(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		up := f.presign(5, nil) // Manual; a, b
		id := up.DocumentID
		before := f.get(id)
		f.clock.forward(time.Minute)
		d := f.patched(id, Patch{Description: ptr(" as scanned\nin 2020 ")})
		if d.Title != "Manual" || d.Description != "as scanned\nin 2020" || !slices.Equal(d.Tags, []string{"a", "b"}) || !d.UpdatedAt.After(before.UpdatedAt) {
			t.Errorf("%+v", d)
		}
		d = f.patched(id, Patch{Title: ptr(""), Tags: ptr([]string{"b", "Ärger, groß", "B", "b", " c "})})
		if d.Title != "" || d.Description == "" || !slices.Equal(d.Tags, []string{"b", "Ärger, groß", "B", "c"}) {
			t.Errorf("%+v", d)
		}
		stored := f.get(id)
		stored.hash, d.hash = nil, nil
		if fmt.Sprintf("%+v", *stored) != fmt.Sprintf("%+v", *d) {
			t.Errorf("answered\n%+v\nstored\n%+v", d, stored)
		}
		want := map[string][]string{"b": {id}, "B": {id}, "c": {id}, "Ärger, groß": {id}}
		if got := f.tagged(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("tags %v, want %v", got, want)
		}
		if at := f.rdb.ZScore(t.Context(), f.k.byTag("c"), id).Val(); at != score(id, time.Time{}) {
			t.Errorf("score %f", at)
		}
		if f.patched(id, Patch{Tags: &[]string{}}); len(f.tagged()) != 0 || len(f.get(id).Tags) != 0 {
			t.Errorf("tags left: %v", f.tagged())
		}
	})
}

func ptr[T any](v T) *T { return &v }

func TestPatchOfNothingWritesNothing(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		up := f.presign(5, nil)
		before := fmt.Sprint(f.keyspace())
		f.clock.forward(time.Minute)
		for _, p := range []Patch{{}, {Title: ptr("Manual"), Description: ptr(""), Tags: ptr([]string{"a", "b"})}} {
			if f.patched(up.DocumentID, p); fmt.Sprint(f.keyspace()) != before {
				t.Errorf("%+v changed something", p)
			}
		}
	})
}

func TestPatchTellsWhoWaits(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		up, _ := f.queued()
		f.patched(up.DocumentID, Patch{Title: ptr("new")})
		entries, err := f.rdb.XRevRangeN(t.Context(), f.k.events(), "+", "-", 1).Result()
		if err != nil || len(entries) != 1 || entries[0].Values["document"] != up.DocumentID || entries[0].Values["reason"] != "patched" {
			t.Errorf("%v, %v", entries, err)
		}
	})
}

// What is patched while a run is at work, or afterwards, has to be saved.
func TestPatchIsToBeSaved(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		unsaved := func() []string { return f.rdb.ZRange(t.Context(), f.k.unsaved(), 0, -1).Val() }
		up := f.presign(5, nil)
		if f.patched(up.DocumentID, Patch{Title: ptr("waits")}); len(unsaved()) != 0 {
			t.Errorf("unsaved: %v", unsaved())
		}
		f.put(up, "hello")
		f.process(up, nil)
		d, _ := f.complete(strings.Repeat("1", 64), strings.Repeat("2", 64))
		f.rdb.Del(t.Context(), f.k.unsaved())
		got := f.patched(d.ID, Patch{Title: ptr("completed"), Tags: ptr([]string{"x"})})
		if got.Status != Completed || !slices.Equal(unsaved(), []string{d.ID}) {
			t.Errorf("status %s, unsaved: %v", got.Status, unsaved())
		}
		f.wantState(d.ID, Completed)
	})
}

func TestPatchRefuses(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		up := f.presign(5, nil)
		before := fmt.Sprint(f.keyspace())
		for field, p := range map[string]Patch{
			"title":       {Title: ptr(strings.Repeat("ü", 256))},
			"description": {Description: ptr("a\x00b")},
			"tags":        {Title: ptr("fine"), Tags: ptr([]string{"a", " "})},
		} {
			_, err := f.Patch(t.Context(), up.DocumentID, p)
			if e := wantError(t, err, Invalid, CodeInvalid); e.Field != field {
				t.Errorf("%s: field %s", field, e.Field)
			}
		}
		_, err := f.Patch(t.Context(), up.DocumentID, Patch{Tags: ptr(slices.Repeat([]string{"t"}, 11))})
		wantError(t, err, Invalid, CodeInvalid)
		if fmt.Sprint(f.keyspace()) != before {
			t.Error("something was changed")
		}
		for _, id := range []string{"01a209db-2745-7738-96d0-71c111b26be6", "x"} {
			_, err = f.Patch(t.Context(), id, Patch{Title: ptr("x")})
			wantError(t, err, NotFound, CodeDocumentNotFound)
		}
		_, err = f.withoutRedis().Patch(t.Context(), up.DocumentID, Patch{Title: ptr("x")})
		wantError(t, err, Unavailable, CodeQueueUnavailable)
	})
}

// Patches that meet one another leave a tag index that says what the record says.
func TestPatchesAtTheSameTime(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		up := f.presign(5, nil)
		var wait sync.WaitGroup
		for i := range 8 {
			wait.Go(func() {
				for j := range 10 {
					_, err := f.Patch(t.Context(), up.DocumentID, Patch{Tags: ptr([]string{fmt.Sprint("t", i), fmt.Sprint("u", j)}), Title: ptr(fmt.Sprint(i, j))})
					var e *Error
					if err != nil && !(errors.As(err, &e) && e.Code == CodeBusy) {
						t.Error(err)
					}
				}
			})
		}
		wait.Wait()
		want := map[string][]string{}
		for _, tag := range f.get(up.DocumentID).Tags {
			want[tag] = []string{up.DocumentID}
		}
		if got := f.tagged(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("index %v, record %v", got, want)
		}
	})
}

// A commit between reading and writing is not lost, and neither is the patch.
func TestPatchMeetsACommit(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.queued()
		c, d := f.begin()
		effects, conditions := f.Complete(d, f.manifest(d, c.Execution.ID, strings.Repeat("3", 64), ""))
		stale := f.get(d.ID)
		f.finish(c, rq.Outcome{Kind: rq.OutcomeFinish, Effects: effects, Conditions: conditions})
		err := f.patch(t.Context(), stale, Patch{Title: ptr("late"), Tags: ptr([]string{"late"})})
		var raced *rq.ConditionError
		if !errors.As(err, &raced) {
			t.Fatalf("a patch of what was read before the commit: %v", err)
		}
		if got := f.patched(d.ID, Patch{Tags: ptr([]string{"late"})}); got.Status != Completed || got.SHA256 == "" {
			t.Errorf("%+v", got)
		}
		f.wantState(d.ID, Completed)
	})
}

func TestPatchMeetsADeletion(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		up := f.presign(5, nil)
		stale := f.get(up.DocumentID)
		f.remove(up.DocumentID)
		before := fmt.Sprint(f.keyspace())
		err := f.patch(t.Context(), stale, Patch{Title: ptr("late"), Tags: ptr([]string{"late"})})
		var raced *rq.ConditionError
		if !errors.As(err, &raced) {
			t.Fatalf("a patch of what was deleted: %v", err)
		}
		if fmt.Sprint(f.keyspace()) != before {
			t.Error("something came back")
		}
	})
}

// However patches and a deletion meet, nothing of the document is left, and
// every patch either took place before or says that there is no such document.
func TestPatchesWhileItIsDeleted(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		for range 10 {
			up := f.presign(5, nil)
			var wait sync.WaitGroup
			for i := range 3 {
				wait.Go(func() {
					for j := 0; ; j++ {
						_, err := f.Patch(t.Context(), up.DocumentID, Patch{Tags: ptr([]string{fmt.Sprint("t", i, j)})})
						var e *Error
						switch {
						case err == nil || errors.As(err, &e) && e.Code == CodeBusy:
							continue
						case e == nil || e.Code != CodeDocumentNotFound:
							t.Error(err)
						}
						return
					}
				})
			}
			for {
				var e *Error
				if err := f.Delete(t.Context(), up.DocumentID); err == nil {
					break
				} else if !errors.As(err, &e) || e.Code != CodeBusy {
					t.Fatal(err)
				}
			}
			wait.Wait()
			for key, content := range f.keyspace() {
				if !strings.HasSuffix(key, "docs:deleted") && strings.Contains(key+content, up.DocumentID) {
					t.Fatalf("left: %s: %s", key, content)
				}
			}
		}
	})
}

func TestPatchOfAnArchivedDocument(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		up, _ := f.queued()
		d, _ := f.complete(strings.Repeat("1", 64), strings.Repeat("2", 64))
		if err := f.UploadRemoved(t.Context(), f.get(d.ID)); err != nil {
			t.Fatal(err)
		}
		f.c.Retention = 24 * time.Hour
		f.clock.forward(48 * time.Hour)
		if _, err := f.Keep(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, err := f.Patch(t.Context(), up.DocumentID, Patch{Title: ptr("x")})
		if e := wantError(t, err, Conflict, CodeArchived); !strings.Contains(e.Detail, up.DocumentID) {
			t.Errorf("%s", e.Detail)
		}
	})
}
