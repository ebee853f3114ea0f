package rq

import (
	"context"
	"embed"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/failpoint"
)

//go:embed lua/*.lua
var luaFiles embed.FS

// The scripts, one per transition or reading. Each is prelude.lua, the shared
// parts it names, and its own file.
var (
	scriptCancel     = compile("job", "cancel")
	scriptClaim      = compile("job", "claim")
	scriptDelete     = compile("job", "delete")
	scriptDue        = compile("job", "due")
	scriptEmpty      = compile("job", "empty")
	scriptEnqueue    = compile("job", "enqueue")
	scriptExpired    = compile("job", "pulse", "expired")
	scriptFinish     = compile("job", "finish")
	scriptHeartbeat  = compile("job", "pulse", "heartbeat")
	scriptInspect    = compile("job", "inspect")
	scriptList       = compile("job", "list")
	scriptMaintain   = compile("job", "maintain")
	scriptProgress   = compile("progress")
	scriptRead       = compile("job", "read")
	scriptRecover    = compile("job", "recover")
	scriptRegister   = compile("register")
	scriptRequeue    = compile("job", "requeue")
	scriptState      = compile("state")
	scriptStop       = compile("job", "stop")
	scriptSweep      = compile("job", "sweep")
	scriptUnlock     = compile("unlock")
	scriptUnregister = compile("unregister")
)

func compile(parts ...string) *redis.Script {
	var b strings.Builder
	for _, name := range append([]string{"prelude"}, parts...) {
		text, err := luaFiles.ReadFile("lua/" + name + ".lua")
		if err != nil {
			panic(err) // the file is embedded: only a misspelt name gets here
		}
		b.Write(text)
	}
	script := redis.NewScript(b.String())
	failpoint.Script(script.Hash(), parts[len(parts)-1])
	return script
}

// call is one run of a script.
type call struct {
	script *redis.Script
	keys   []string
	tape   *tape
}

// run runs one script in one round trip.
func (c *Client) run(ctx context.Context, x call) (reply, error) {
	v, err := x.script.Run(ctx, c.rdb, x.keys, x.tape.args...).Result()
	if err != nil {
		return reply{}, err
	}
	return reply{v}, nil
}

// runAll runs scripts in order in one round trip. The first error is
// answered when any of them failed; all are safe to repeat.
func (c *Client) runAll(ctx context.Context, calls []call) ([]reply, error) {
	cmds := make([]*redis.Cmd, len(calls))
	_, err := c.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, x := range calls {
			cmds[i] = x.script.EvalSha(ctx, p, x.keys, x.tape.args...)
		}
		return nil
	})
	replies := make([]reply, len(calls))
	for i, cmd := range cmds {
		v, cmdErr := cmd.Result()
		if redis.HasErrorPrefix(cmdErr, "NOSCRIPT") {
			v, cmdErr = calls[i].script.Run(ctx, c.rdb, calls[i].keys, calls[i].tape.args...).Result()
		} else if cmdErr == nil && err != nil && v == nil {
			cmdErr = err // the pipeline failed before this command was sent
		}
		if cmdErr != nil {
			return nil, cmdErr
		}
		replies[i] = reply{v}
	}
	return replies, nil
}

// tape is the ARGV of a script, read by take() in lua/prelude.lua.
type tape struct{ args []any }

// tape starts one with what the prelude takes.
func (c *Client) tape() *tape {
	fixed := ""
	if c.fixedTime != nil {
		fixed = strconv.FormatInt(c.fixedTime().UnixMicro(), 10)
	}
	t := &tape{}
	return t.str(c.o.Namespace, fixed).num(c.o.EventsMaxLen).num(c.o.Lease.Milliseconds())
}

func (t *tape) str(values ...string) *tape {
	for _, v := range values {
		t.args = append(t.args, v)
	}
	return t
}

func (t *tape) num(n int64) *tape { return t.str(strconv.FormatInt(n, 10)) }

func (t *tape) flag(b bool) *tape {
	if b {
		return t.str("1")
	}
	return t.str("0")
}

func (t *tape) list(values []string) *tape { return t.num(int64(len(values))).str(values...) }

func (t *tape) labels(m map[string]string) *tape {
	t.num(int64(2 * len(m)))
	for _, k := range sortedKeys(m) {
		t.str(k, m[k])
	}
	return t
}

func (t *tape) guard(g Guard) *tape { return t.str(g.Key, g.Field, g.Is).flag(g.Not) }

func (t *tape) conditions(cs []Condition) *tape {
	t.num(int64(len(cs)))
	for _, x := range cs {
		if x.ClaimKey != "" {
			t.str("claim", x.ClaimKey, x.ClaimValue).num(x.TTL.Milliseconds())
		} else {
			t.str("guard").guard(x.Guard)
		}
	}
	return t
}

func (t *tape) effects(es []Effect) *tape {
	t.num(int64(len(es)))
	for _, e := range es {
		t.str(string(e.Op), e.Key).flag(e.If != nil)
		if e.If != nil {
			t.guard(*e.If)
		}
		t.list(e.Args)
	}
	return t
}

// reply reads a script's answer, which is nested lists of texts and integers.
// Anything that is not what is asked for reads as empty.
type reply struct{ v any }

func (r reply) list() []reply {
	items, _ := r.v.([]any)
	out := make([]reply, len(items))
	for i, v := range items {
		out[i] = reply{v}
	}
	return out
}

func (r reply) at(i int) reply {
	items, _ := r.v.([]any)
	if i >= len(items) {
		return reply{}
	}
	return reply{items[i]}
}

func (r reply) text() string {
	switch v := r.v.(type) {
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	}
	return ""
}

func (r reply) int() int {
	switch v := r.v.(type) {
	case int64:
		return int(v)
	case string:
		n, _ := strconv.Atoi(v)
		return n
	}
	return 0
}

func (r reply) texts() []string {
	items := r.list()
	out := make([]string, len(items))
	for i, x := range items {
		out[i] = x.text()
	}
	return out
}

// second reads a unix second; 0 and "" are the zero time.
func (r reply) second() time.Time {
	s := r.text()
	if i := strings.IndexByte(s, '.'); i >= 0 {
		s = s[:i]
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n == 0 {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}

// condition reads a { "condition", index, key, found } reply.
func (r reply) condition() *ConditionError {
	return &ConditionError{Index: r.at(1).int(), Key: r.at(2).text(), Actual: r.at(3).text()}
}

func errReply(op string, r reply) error {
	return fmt.Errorf("%s: unexpected reply of the script: %v", op, r.v)
}
