package worker

import (
	"context"
	"errors"

	"github.com/docsvc/docsvc/pkg/rq"
)

// obey follows the commands that RQ's tools publish to the slots' names.
func (w *Worker) obey(ctx context.Context) {
	names := make([]string, len(w.slots))
	for i, s := range w.slots {
		names[i] = s.name
	}
	for try := 0; ctx.Err() == nil; try++ {
		commands, err := w.q.Commands(ctx, names)
		if err == nil {
			w.outages.up("subscribing to commands")
			try = 0
			for c := range commands {
				w.command(c)
			}
			err = errors.New("the subscription ended")
		}
		switch {
		case ctx.Err() != nil:
		case rq.IsUnavailable(err):
			w.outages.down("subscribing to commands", err)
		default:
			w.c.Log.Warn().Err(err).Msg("subscribing to commands")
		}
		pause(ctx, try)
	}
	w.outages.gone("subscribing to commands")
}

func (w *Worker) command(c rq.Command) {
	log := w.c.Log.With().Str("slot", c.Worker).Str("command", c.Name).Logger()
	switch c.Name {
	case rq.CommandShutdown:
		log.Info().Msg("shutdown: this slot takes nothing more")
		w.retire(c.Worker)
	case rq.CommandStopJob:
		n := w.cancelRuns(ErrStopped, func(r *run) bool { return r.slot.name == c.Worker && r.claimed.Execution.JobID == c.JobID })
		log.Info().Str("job", c.JobID).Bool("running", n > 0).Msg("stop-job")
	case rq.CommandKillHorse:
		n := w.cancelRuns(ErrHorseKilled, func(r *run) bool { return r.slot.name == c.Worker })
		log.Info().Bool("running", n > 0).Msg("kill-horse")
	}
}
