//go:build failpoint

package failpoint

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// prelude is how many arguments of every script come before its own; see
// pkg/rq/lua/prelude.lua.
const prelude = 4

// history records the transitions that a process asks for.
type history struct {
	file  *os.File
	calls atomic.Int64
}

func newHistory() *history { return &history{file: open("FAILPOINT_HISTORY")} }

func (h *history) write(r Record) {
	line, err := json.Marshal(r)
	if err != nil {
		panic(err) // plain fields only
	}
	_, _ = h.file.Write(append(line, '\n'))
}

// asked records that a script is called, and returns what records its answer.
func (h *history) asked(name string, cmd redis.Cmder) func(redis.Cmder) {
	if h.file == nil || name != "claim" && name != "finish" && name != "recover" {
		return func(redis.Cmder) {}
	}
	args := own(cmd)
	r := Record{Call: fmt.Sprintf("%d.%d", os.Getpid(), h.calls.Add(1)), At: time.Now().UnixNano(), Kind: name}
	switch {
	case name == "finish" && len(args) > 4:
		r.Job, r.Execution, r.Action = args[0], args[1], args[4]
	case name == "recover" && len(args) > 6:
		r.Job, r.Execution, r.Action = args[2], args[3], args[6]
	}
	h.write(r)
	return func(cmd redis.Cmder) {
		r.At = time.Now().UnixNano()
		h.answered(r, cmd)
	}
}

func (h *history) answered(r Record, cmd redis.Cmder) {
	c, ok := cmd.(*redis.Cmd)
	if !ok {
		return
	}
	v, err := c.Result()
	reply, _ := v.([]any)
	switch {
	case redis.HasErrorPrefix(err, "NOSCRIPT"):
		return // it did not run; it is called again with its text
	case err != nil || len(reply) == 0:
		r.Answer = "error"
		h.write(r)
		return
	}
	r.Answer = fmt.Sprint(reply[0])
	if r.Kind != "claim" || len(reply) < 2 {
		h.write(r)
		return
	}
	jobs, _ := reply[1].([]any)
	for _, j := range jobs {
		if fields, _ := j.([]any); len(fields) > 3 {
			r.Execution, r.Job = fmt.Sprint(fields[1]), fmt.Sprint(fields[3])
			h.write(r)
		}
	}
}

// own are a script's arguments after the prelude's.
func own(cmd redis.Cmder) []string {
	args := cmd.Args()
	if len(args) < 3 {
		return nil
	}
	keys, err := strconv.Atoi(fmt.Sprint(args[2]))
	if err != nil || len(args) < 3+keys+prelude {
		return nil
	}
	rest := args[3+keys+prelude:]
	out := make([]string, len(rest))
	for i, a := range rest {
		out[i] = fmt.Sprint(a)
	}
	return out
}
