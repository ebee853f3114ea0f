package rq

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// maxUndo is how many elements a key may have that is deleted.
const maxUndo = 10000

var errTooLarge = errors.New("too large to be undone")

// content reads a key as the commands that make it; none when it is missing.
func (c *Client) content(ctx context.Context, key string) ([]command, error) {
	kind, err := c.rdb.Type(ctx, key).Result()
	if err != nil || kind == "none" {
		return nil, err
	}
	ttl, err := c.rdb.PTTL(ctx, key).Result()
	if err != nil {
		return nil, err
	}
	n, err := c.size(ctx, kind, key)
	if err != nil {
		return nil, err
	}
	if n > maxUndo {
		return nil, fmt.Errorf("%s: %w", key, errTooLarge)
	}
	out, err := c.makes(ctx, kind, key)
	if err != nil {
		return nil, err
	}
	if ttl > 0 {
		out = append(out, cmd("PEXPIRE", key, strconv.FormatInt(ttl.Milliseconds(), 10)))
	}
	return out, nil
}

// makes reads a key of a type as commands, without its time to live.
func (c *Client) makes(ctx context.Context, kind, key string) ([]command, error) {
	switch kind {
	case "string":
		v, err := c.rdb.Get(ctx, key).Result()
		return inParts("SET", key, v), err
	case "list":
		v, err := c.rdb.LRange(ctx, key, 0, -1).Result()
		return inParts("RPUSH", key, v...), err
	case "set":
		v, err := c.rdb.SMembers(ctx, key).Result()
		slices.Sort(v)
		return inParts("SADD", key, v...), err
	case "hash":
		v, err := c.rdb.HGetAll(ctx, key).Result()
		var flat []string
		for _, name := range slices.Sorted(maps.Keys(v)) {
			flat = append(flat, name, v[name])
		}
		return inParts("HSET", key, flat...), err
	case "zset":
		v, err := c.rdb.ZRangeWithScores(ctx, key, 0, -1).Result()
		var flat []string
		for _, z := range v {
			flat = append(flat, plain(z.Score), fmt.Sprint(z.Member))
		}
		return inParts("ZADD", key, flat...), err
	case "stream":
		return c.entries(ctx, key)
	}
	return nil, fmt.Errorf("%s is a %s: %w", key, kind, errTooLarge)
}

// inParts are commands of a bounded length. The length is even, so that a
// field and its value stay together.
func inParts(op, key string, words ...string) []command {
	var out []command
	for part := range slices.Chunk(words, 500) {
		out = append(out, append(cmd(op, key), cmd(part...)...))
	}
	return out
}

func (c *Client) size(ctx context.Context, kind, key string) (int64, error) {
	switch kind {
	case "list":
		return c.rdb.LLen(ctx, key).Result()
	case "set":
		return c.rdb.SCard(ctx, key).Result()
	case "hash":
		return c.rdb.HLen(ctx, key).Result()
	case "zset":
		return c.rdb.ZCard(ctx, key).Result()
	case "stream":
		return c.rdb.XLen(ctx, key).Result()
	}
	return 1, nil
}

// entries reads a stream with its fields in their order, which go-redis gives
// as a map.
func (c *Client) entries(ctx context.Context, key string) ([]command, error) {
	list, err := c.rdb.Do(ctx, "XRANGE", key, "-", "+").Slice()
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, err
	}
	var out []command
	for _, e := range list {
		r := reply{e}
		out = append(out, append(cmd("XADD", key, r.at(0).text()), cmd(r.at(1).texts()...)...))
	}
	return out, nil
}
