package rq

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// The commands of RQ 2.x (rq/command.py).
const (
	CommandShutdown  = "shutdown"
	CommandStopJob   = "stop-job"
	CommandKillHorse = "kill-horse"
)

// Command was published to a worker.
type Command struct {
	Worker string // whose channel it came on
	Name   string
	JobID  string // for stop-job
}

// Commands subscribes to the names' rq:pubsub channels until ctx ends, then
// the channel is closed. A lost connection is taken up again; commands sent
// meanwhile are lost, as with RQ. Unknown and malformed commands are dropped.
func (c *Client) Commands(ctx context.Context, names []string) (<-chan Command, error) {
	channels := make([]string, len(names))
	for i, w := range names {
		channels[i] = keyPubSub(w)
	}
	sub := c.rdb.Subscribe(ctx, channels...)
	if _, err := sub.Receive(ctx); err != nil {
		_ = sub.Close()
		return nil, fmt.Errorf("subscribing to worker commands: %w", err)
	}
	out := make(chan Command)
	messages := sub.Channel()
	go func() {
		defer close(out)
		defer func() { _ = sub.Close() }()
		for {
			select {
			case <-ctx.Done():
				return
			case m, ok := <-messages:
				if !ok {
					return
				}
				cmd, ok := parseCommand(m.Channel, m.Payload)
				if !ok {
					c.o.Log.Warn().Str("channel", m.Channel).Int("bytes", len(m.Payload)).Msg("ignoring a command that is not one of RQ's")
					continue
				}
				select {
				case out <- cmd:
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	return out, nil
}

func parseCommand(channel, payload string) (Command, bool) {
	var p struct {
		Command string `json:"command"`
		JobID   string `json:"job_id"`
	}
	if err := json.Unmarshal([]byte(payload), &p); err != nil {
		return Command{}, false
	}
	switch p.Command {
	case CommandShutdown, CommandStopJob, CommandKillHorse:
		return Command{Worker: strings.TrimPrefix(channel, keyPubSub("")), Name: p.Command, JobID: p.JobID}, true
	}
	return Command{}, false
}
