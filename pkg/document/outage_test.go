package document

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/docsvc/docsvc/pkg/objstore"
	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq"
	"github.com/docsvc/docsvc/pkg/s3test"
)

func TestProcessWithoutStorageOrRedis(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		up := f.presign(5, nil)
		f.put(up, "hello")
		before := f.keyspace()
		f.s3.Fail(func(*http.Request) *s3test.Fault { return &s3test.Fault{Status: http.StatusServiceUnavailable} })
		_, err := f.Process(t.Context(), up.DocumentID, ProcessRequest{UploadID: up.UploadID})
		wantError(t, err, Unavailable, CodeStorageUnavailable)
		if !errors.Is(err, objstore.ErrUnavailable) {
			t.Error("the cause is lost")
		}
		if diff := difference(before, f.keyspace()); diff != "" {
			t.Errorf("changed %s", diff)
		}
		f.s3.Fail(nil)
		f.process(up, nil)
		_, err = f.withoutRedis().Process(t.Context(), up.DocumentID, ProcessRequest{UploadID: up.UploadID})
		wantError(t, err, Unavailable, CodeQueueUnavailable)
	})
}

func TestRedisOutOfMemory(t *testing.T) {
	t.Parallel()
	f := newFixture(t, redistest.Start(t, redistest.RedisServer), nil)
	up := f.presign(5, nil)
	f.put(up, "hello")
	failed, a := f.queued()
	c, _ := f.begin()
	f.finish(c, rq.Outcome{Kind: rq.OutcomeFail, Error: "no", ErrorCode: "corrupt"})
	before := f.dump()
	f.config("maxmemory", "1")
	for name, call := range map[string]func() error{
		"presign": func() error { _, err := f.Presign(t.Context(), NewUpload{Filename: "a", FileSize: 1}); return err },
		"process": func() error {
			_, err := f.Process(t.Context(), up.DocumentID, ProcessRequest{UploadID: up.UploadID, Password: "p"})
			return err
		},
		"requeue": func() error {
			_, err := f.Process(t.Context(), failed.DocumentID, ProcessRequest{UploadID: failed.UploadID})
			return err
		},
		"retry": func() error { _, err := f.Retry(t.Context(), a.JobID); return err },
	} {
		t.Log(name)
		wantError(t, call(), Unavailable, CodeQueueUnavailable)
	}
	f.config("maxmemory", "0")
	if diff := difference(before, f.dump()); diff != "" {
		t.Errorf("half written: %s", diff)
	}
	f.process(up, nil)
	f.wantState(up.DocumentID, Uploaded)
}

// dump is the whole keyspace, the queue's too.
func (f *fixture) dump() map[string]string {
	f.t.Helper()
	all := map[string]string{}
	for _, key := range f.rdb.Keys(f.t.Context(), "*").Val() {
		if f.rdb.Type(f.t.Context(), key).Val() == "list" {
			all[key] = strings.Join(f.rdb.LRange(f.t.Context(), key, 0, -1).Val(), "\n")
			continue
		}
		all[key] = f.content(key)
	}
	return all
}

func (f *fixture) config(name, value string) {
	f.t.Helper()
	if err := f.rdb.ConfigSet(f.t.Context(), name, value).Err(); err != nil {
		f.t.Fatal(err)
	}
}
