package document

import (
	"context"
	"errors"

	"github.com/docsvc/docsvc/pkg/rq"
)

func apply(ctx context.Context, q *rq.Client, c []rq.Condition, e []rq.Effect, labels map[string]string) error {
	return errors.New("not built")
}
func rqJobKey(id string) string            { return "rq:job:" + id }
func rqQueueKey(name string) string        { return "rq:queue:" + name }
func rqIntermediateKey(name string) string { return "rq:queue:" + name + ":intermediate" }
