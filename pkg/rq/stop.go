package rq

import (
	"context"
	"fmt"
	"time"
)

// Stop tells the worker that runs a job to end it, as RQ's
// send_stop_job_command does: the worker then makes it stopped, whatever
// retries it has. It sends the command again every second, as RQ's are lost
// while a worker reconnects or only just took the job, until the job is no
// longer started or wait has passed, and returns the job as it then is and how
// many listened for its worker. *StateError when it does not run, ErrNoJob
// when there is none.
func (c *Client) Stop(ctx context.Context, id string, wait time.Duration) (j *Job, listening int, err error) {
	var sent time.Time
	for began := time.Now(); ; {
		if time.Since(sent) >= time.Second {
			r, err := c.run(ctx, call{scriptStop, []string{keyJob(id)}, c.tape().str(id)})
			if err != nil {
				return nil, 0, fmt.Errorf("stopping job %s: %w", id, err)
			}
			switch {
			case r.at(0).text() == "none":
				return nil, 0, fmt.Errorf("job %s: %w", id, ErrNoJob)
			case r.at(0).text() == "idle" && sent.IsZero():
				return nil, 0, &StateError{ID: id, Status: Status(r.at(1).text()), Op: "stop"}
			case r.at(0).text() == "ok":
				listening = r.at(2).int()
			}
			sent = time.Now()
		}
		if j, err = c.Job(ctx, id); err != nil {
			return nil, listening, err
		}
		if j.Status != StatusStarted || time.Since(began) >= wait {
			return j, listening, nil
		}
		pause(ctx, min(100*time.Millisecond, wait-time.Since(began)))
		if err := ctx.Err(); err != nil {
			return j, listening, err
		}
	}
}
