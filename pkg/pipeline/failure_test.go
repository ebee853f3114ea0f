package pipeline

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/extract"
	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/objstore"
	"github.com/docsvc/docsvc/pkg/rq"
	"github.com/docsvc/docsvc/pkg/worker"
)

func TestClassify(t *testing.T) {
	t.Parallel()
	down := &objstore.Error{Op: "get", Key: "temp/a/b", Kind: objstore.ErrUnavailable, Code: "SlowDown", HTTP: 503}
	for _, c := range []struct {
		name  string
		err   error
		class worker.Class
		code  string
	}{
		{"encrypted", &extract.Error{Code: block.CodeEncrypted, Message: "x"}, worker.Permanent, "encrypted"},
		{"crash", fmt.Errorf("around: %w", &extract.Error{Code: block.CodeCrash, Message: "x"}), worker.Resource, "crash"},
		{"storage down", fmt.Errorf("storing: %w", down), worker.Waiting, CodeStorage},
		{"storage refuses", &objstore.Error{Op: "get", Kind: objstore.ErrDenied}, worker.Waiting, CodeStorage},
		{"gone", &objstore.Error{Op: "get", Kind: objstore.ErrNotFound}, worker.Permanent, CodeUploadGone},
		{"changed", &objstore.Error{Op: "get", Kind: objstore.ErrChanged}, worker.Permanent, CodeUploadChanged},
		{"disk full", fmt.Errorf("writing: %w", syscall.ENOSPC), worker.Waiting, CodeDiskFull},
		{"no room", &spaceError{need: 2, free: 1}, worker.Waiting, CodeDiskFull},
		{"no record", &document.Error{Kind: document.NotFound, Code: "document_not_found", Detail: "x"}, worker.Permanent, "document_not_found"},
		{"another job", &document.Error{Kind: document.Conflict, Code: "other_job", Detail: "x"}, worker.Permanent, "other_job"},
		{"service down", &document.Error{Kind: document.Unavailable, Code: "queue_unavailable", Detail: "x"}, worker.Waiting, "queue_unavailable"},
		{"another installation", &document.Error{Kind: document.Conflict, Code: "installation_mismatch", Detail: "x"}, worker.Waiting, "installation_mismatch"},
		{"records missing", &document.Error{Kind: document.Conflict, Code: "records_missing", Detail: "x"}, worker.Waiting, "records_missing"},
		{"a wrong argument", &document.Error{Kind: document.Invalid, Code: "invalid", Field: "key", Detail: "x"}, worker.Permanent, CodeBadArguments},
		{"its own", permanent(CodeHashMismatch, "x"), worker.Permanent, CodeHashMismatch},
	} {
		var f *worker.Failure
		if err := classify(context.Background(), c.err); !errors.As(err, &f) || f.Class != c.class || f.Code != c.code {
			t.Errorf("%s: %v; want %s %s", c.name, err, c.class, c.code)
		} else if f.Error() == "" {
			t.Errorf("%s: no text", c.name)
		}
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for name, c := range map[string]struct {
		ctx context.Context
		err error
	}{
		"the end of the context": {ended, down},
		"a lost execution":       {context.Background(), rq.ErrLateFinish},
		"anything else":          {context.Background(), errors.New("something")},
	} {
		if got := classify(c.ctx, c.err); got != c.err {
			t.Errorf("%s: %v; want it as it was", name, got)
		}
	}
}
