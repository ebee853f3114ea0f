package document

import (
	"context"
	_ "embed"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/rq"
)

//go:embed lua/view.lua
var viewLua string

var viewScript = redis.NewScript(viewLua)

// view is a record and the status of its job, read at one moment.
type view struct {
	*Document
	// job is the job's status; "" when its hash is gone.
	job rq.Status
}

// view reads a record with its job; NotFound when there is no record.
func (s *Service) view(ctx context.Context, id string) (view, error) {
	if !validID(id) {
		return view{}, notFound(id)
	}
	reply, err := viewScript.Run(ctx, s.rdb, []string{s.k.document(id)}, rq.JobKey("")).Slice()
	if err != nil {
		return view{}, redisError("reading document "+id, err)
	}
	return parseView(id, reply)
}

// views reads several in one round trip; the entry of a missing record has no
// Document. A record that can't be read is an error of its own, so that one of
// them does not hide the others.
func (s *Service) views(ctx context.Context, ids []string) ([]view, []error, error) {
	pipe := s.rdb.Pipeline()
	replies := make([]*redis.Cmd, len(ids))
	for i, id := range ids {
		replies[i] = viewScript.Eval(ctx, pipe, []string{s.k.document(id)}, rq.JobKey(""))
	}
	_, failed := pipe.Exec(ctx)
	list, errs := make([]view, len(ids)), make([]error, len(ids))
	for i, id := range ids {
		reply, err := replies[i].Slice()
		var refused redis.Error
		switch {
		case errors.As(err, &refused) && !rq.IsUnavailable(err):
			errs[i] = fmt.Errorf("reading document %s: %w", id, err) // a key of another type
		case err != nil:
			return nil, nil, redisError("reading documents", err)
		case reply == nil:
			return nil, nil, redisError("reading documents", failed)
		default:
			list[i], errs[i] = parseView(id, reply)
		}
	}
	return list, errs, nil
}

func parseView(id string, reply []any) (view, error) {
	if len(reply) != 2 {
		return view{}, fmt.Errorf("reading document %s: unexpected reply", id)
	}
	d, err := parse(id, pairs(reply[0]))
	if err != nil {
		return view{}, err
	}
	status, _ := reply[1].(string)
	return view{Document: d, job: rq.Status(status)}, nil
}

// pairs makes a map of a flat list of fields and values.
func pairs(v any) map[string]string {
	flat, _ := v.([]any)
	m := make(map[string]string, len(flat)/2)
	for i := 0; i+1 < len(flat); i += 2 {
		field, _ := flat[i].(string)
		m[field], _ = flat[i+1].(string)
	}
	return m
}
