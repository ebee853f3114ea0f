package rq

import (
	"context"
	"strconv"
	"strings"
	"time"
)

const (
	historyPages = 10  // of 1000 entries: all of a stream of the usual length
	paceStarts   = 100 // of a queue: more tell no more about its pace
	paceWindow   = 15 * time.Minute
)

// history is what the events stream tells of a job and its queue.
type history struct {
	last   *ExplainEvent
	queue  string      // of last
	starts []time.Time // of jobs of the queue, newest first
}

// history reads the events stream backwards until it knows all that it can.
func (c *Client) history(ctx context.Context, id, queue string, now time.Time) (history, error) {
	var h history
	end := "+"
	for range historyPages {
		entries, err := c.rdb.XRevRangeN(ctx, c.keyEvents(), end, "-", 1000).Result()
		if err != nil {
			return h, passType(err)
		}
		paced := queue == ""
		for _, e := range entries {
			at := eventTime(e.ID)
			text := func(name string) string {
				s, _ := e.Values[name].(string)
				return s
			}
			if h.last == nil && text("job") == id && text("reason") != ReasonProgress {
				h.last = &ExplainEvent{At: at, From: Status(text("from")), To: Status(text("to")), Reason: text("reason"),
					Worker: text("worker"), ErrorCode: text("error_code"), Document: text("document")}
				h.queue = text("queue")
			}
			if len(h.starts) >= paceStarts || now.Sub(at) > paceWindow {
				paced = true
			} else if queue != "" && text("queue") == queue && text("reason") == ReasonClaimed {
				h.starts = append(h.starts, at)
			}
		}
		if len(entries) < 1000 || h.last != nil && paced {
			break
		}
		end = "(" + entries[len(entries)-1].ID
	}
	return h, nil
}

func eventTime(id string) time.Time {
	ms, _, _ := strings.Cut(id, "-")
	n, _ := strconv.ParseInt(ms, 10, 64)
	return time.UnixMilli(n).UTC()
}
