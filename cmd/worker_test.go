package cmd

import (
	"net"
	"testing"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/rq"
)

// A loop that can't reach the storage must not have the worker say that Redis
// is away.
func TestStorageOutageIsNotRedis(t *testing.T) {
	t.Parallel()
	cause := &net.OpError{Op: "dial", Err: net.ErrClosed}
	storage := &document.Error{Kind: document.Unavailable, Code: document.CodeStorageUnavailable, Detail: "no storage", Err: cause}
	if err := notRedis(storage); rq.IsUnavailable(err) || err.Error() != "no storage" {
		t.Errorf("an outage of storage is %v, taken for one of Redis: %t", err, rq.IsUnavailable(err))
	}
	queue := &document.Error{Kind: document.Unavailable, Code: document.CodeQueueUnavailable, Detail: "no queue", Err: cause}
	if !rq.IsUnavailable(notRedis(queue)) || notRedis(nil) != nil {
		t.Error("an outage of Redis is none any more")
	}
}
