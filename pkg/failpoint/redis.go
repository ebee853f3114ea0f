//go:build failpoint

package failpoint

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"net"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Redis returns the hook that makes failpoints of every call of a client, and
// records the transitions in the history.
func Redis() redis.Hook { return hook{newHistory()} }

type hook struct{ history *history }

func (hook) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (h hook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		name := nameOf(cmd)
		done := h.history.asked(name, cmd)
		Hit("redis:before:" + name)
		err := next(ctx, cmd)
		done(cmd)
		Hit("redis:after:" + name)
		return err
	}
}

func (h hook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if len(cmds) == 0 {
			return next(ctx, cmds)
		}
		done := make([]func(redis.Cmder), len(cmds))
		for i, cmd := range cmds {
			done[i] = h.history.asked(nameOf(cmd), cmd)
		}
		name := nameOf(cmds[0])
		Hit("redis:before:" + name)
		err := next(ctx, cmds)
		for i, cmd := range cmds {
			done[i](cmd)
		}
		Hit("redis:after:" + name)
		return err
	}
}

// nameOf is the script's name, or the command's.
func nameOf(cmd redis.Cmder) string {
	name := strings.ToLower(cmd.Name())
	args := cmd.Args()
	if !strings.HasPrefix(name, "eval") || len(args) < 2 {
		return name
	}
	text := fmt.Sprint(args[1])
	if name == "eval" || name == "eval_ro" {
		sum := sha1.Sum([]byte(text))
		text = hex.EncodeToString(sum[:])
	}
	return script(text)
}
