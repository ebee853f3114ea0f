package rq

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// read is a reading command of facts.
func read(words ...any) []any { return words }

// facts reads what ask names for each unit, in one round trip of plain
// commands, and has it judged: a fact per command, in their order.
func (f *fsck) facts(ctx context.Context, units []unit, ask func(unit) [][]any, judge func(unit, []fact)) error {
	cmds, n := make([][]*redis.Cmd, len(units)), 0
	for _, u := range units {
		n += len(ask(u))
	}
	answered, err := f.pace.spend(ctx, n)
	if err != nil {
		return err
	}
	_, _ = f.c.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, u := range units {
			for _, words := range ask(u) {
				cmds[i] = append(cmds[i], p.Do(ctx, words...))
			}
		}
		return nil
	})
	answered()
	for i, u := range units {
		list := make([]fact, len(cmds[i]))
		for k, cmd := range cmds[i] {
			v, cmdErr := cmd.Result()
			switch {
			case cmdErr == nil && v != nil:
				list[k] = fact{text: plain(v), is: true}
			case cmdErr != nil && cmdErr != redis.Nil && !isWrongType(cmdErr):
				return cmdErr
			case isWrongType(cmdErr):
				list[k] = fact{wrong: true}
			}
		}
		judge(u, list)
	}
	return nil
}

// fact is one answer of Redis.
type fact struct {
	text  string
	is    bool // there is one
	wrong bool // the key is of another type
}

// on reports a number other than 0.
func (x fact) on() bool { return x.is && x.text != "0" }

func plain(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		switch {
		case math.IsInf(v, 1):
			return "inf"
		case math.IsInf(v, -1):
			return "-inf"
		}
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}

// number reads a score; what is none is not a number.
func (x fact) number() float64 {
	n, err := strconv.ParseFloat(x.text, 64)
	if err != nil {
		return math.NaN()
	}
	return n
}
