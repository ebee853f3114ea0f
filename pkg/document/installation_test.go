package document

import (
	"strings"
	"testing"
)

func TestInstallation(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		if err := f.CheckInstallation(ctx); err != nil {
			t.Fatalf("nothing set up yet: %v", err)
		}
		for range 2 {
			if err := f.EnsureInstallation(ctx); err != nil {
				t.Fatal(err)
			}
		}
		id := f.rdb.Get(ctx, f.k.installation()).Val()
		if got, err := f.bucketInstallation(ctx); err != nil || got != id || id == "" {
			t.Fatalf("bucket %q, Redis %q, %v", got, id, err)
		}
		// Redis was emptied, and nothing was stored yet: goes on as before.
		f.rdb.FlushDB(ctx)
		if err := f.EnsureInstallation(ctx); err != nil || f.rdb.Get(ctx, f.k.installation()).Val() != id {
			t.Fatalf("%v", err)
		}
		// The same with documents in the bucket is refused.
		f.object("documents/x/y/text.md", "text")
		f.rdb.FlushDB(ctx)
		for _, call := range []func() error{func() error { return f.CheckInstallation(ctx) }, func() error { return f.EnsureInstallation(ctx) }} {
			if e := wantError(t, call(), Conflict, CodeRecordsMissing); !strings.Contains(e.Detail, "docsvc documents rebuild") {
				t.Error(e.Detail)
			}
		}
		f.rdb.Set(ctx, f.k.installation(), "another", 0)
		wantError(t, f.EnsureInstallation(ctx), Conflict, CodeOtherInstallation)
		f.store.Delete(ctx, installationObject)
		wantError(t, f.EnsureInstallation(ctx), Conflict, CodeOtherInstallation)
		f.rdb.FlushDB(ctx)
		wantError(t, f.EnsureInstallation(ctx), Conflict, CodeRecordsMissing)
		f.object(installationObject, "not json")
		wantError(t, f.CheckInstallation(ctx), Conflict, CodeOtherInstallation)
		f.store.Delete(ctx, installationObject, "documents/x/y/text.md")
		f.rdb.Set(ctx, f.k.installation(), "first", 0)
		if err := f.EnsureInstallation(ctx); err != nil {
			t.Fatal(err)
		}
		if got, err := f.bucketInstallation(ctx); err != nil || got != "first" {
			t.Errorf("%q, %v", got, err)
		}
		f.s3.Stop()
		wantError(t, f.CheckInstallation(ctx), Unavailable, CodeStorageUnavailable)
		wantError(t, f.withoutRedis().CheckInstallation(ctx), Unavailable, CodeQueueUnavailable)
	})
}

// Redis is emptied under a running server: no document is taken in until its
// records are there again.
func TestRedisIsEmptiedUnderARunningServer(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		up := f.presign(5, nil)
		f.put(up, "hello")
		f.process(up, nil)
		f.complete(strings.Repeat("1", 64), strings.Repeat("2", 64))
		f.object("incoming/file.txt", "text")
		f.rdb.FlushDB(ctx)
		_, err := f.Presign(ctx, NewUpload{Filename: "a.txt", FileSize: 5})
		wantError(t, err, Conflict, CodeRecordsMissing)
		_, err = f.TakeObject(ctx, ObjectRequest{Key: "incoming/file.txt"})
		wantError(t, err, Conflict, CodeRecordsMissing)
		if n := f.rdb.DBSize(ctx).Val(); n != 0 {
			t.Errorf("%d keys were written: %v", n, f.rdb.Keys(ctx, "*").Val())
		}
		if _, err := f.Rebuild(ctx, RebuildOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Presign(ctx, NewUpload{Filename: "a.txt", FileSize: 5}); err != nil {
			t.Errorf("after the rebuild: %v", err)
		}
	})
}
