package rq

import "context"

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
	return nil, errNotBuilt
}
