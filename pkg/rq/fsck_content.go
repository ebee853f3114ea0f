package rq

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

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
	if n, err := c.size(ctx, kind, key); err != nil || n > maxUndo {
		return nil, errors.Join(err, fmt.Errorf("%s: %w", key, errTooLarge))
	}
	var out []command
	add := func(op string, words ...string) { // in commands of a bounded length
		for part := range slices.Chunk(words, 500) {
			out = append(out, append(w(op, key), w(part...)...))
		}
	}
	switch kind {
	case "string":
		v, err := c.rdb.Get(ctx, key).Result()
		if err != nil {
			return nil, err
		}
		add("SET", v)
	case "list":
		v, err := c.rdb.LRange(ctx, key, 0, -1).Result()
		if err != nil {
			return nil, err
		}
		add("RPUSH", v...)
	case "set":
		v, err := c.rdb.SMembers(ctx, key).Result()
		if err != nil {
			return nil, err
		}
		slices.Sort(v)
		add("SADD", v...)
	case "hash":
		v, err := c.rdb.HGetAll(ctx, key).Result()
		if err != nil {
			return nil, err
		}
		var flat []string
		for _, name := range slices.Sorted(maps.Keys(v)) {
			flat = append(flat, name, v[name])
		}
		add("HSET", flat...)
	case "zset":
		v, err := c.rdb.ZRangeWithScores(ctx, key, 0, -1).Result()
		if err != nil {
			return nil, err
		}
		var flat []string
		for _, z := range v {
			flat = append(flat, strings.ToLower(plain(z.Score)), fmt.Sprint(z.Member))
		}
		add("ZADD", flat...)
	case "stream":
		if out, err = c.entries(ctx, key); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("%s is a %s: %w", key, kind, errTooLarge)
	}
	if ttl > 0 {
		out = append(out, w("PEXPIRE", key, strconv.FormatInt(ttl.Milliseconds(), 10)))
	}
	return out, nil
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
		out = append(out, append(w("XADD", key, r.at(0).text()), w(r.at(1).texts()...)...))
	}
	return out, nil
}
