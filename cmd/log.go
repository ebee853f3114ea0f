package cmd

import (
	"os"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/rs/zerolog"

	"github.com/docsvc/docsvc/pkg/config"
)

// logger writes to stderr: JSON, one object a line, or for a terminal text.
func (a *app) logger(cfg *config.Config) (zerolog.Logger, error) {
	level, err := zerolog.ParseLevel(cfg.Log.Level)
	if err != nil {
		return zerolog.Nop(), &config.Error{Key: "log.level", Origin: cfg.Origins["log.level"], Problem: err.Error()}
	}
	w := a.stderr
	if cfg.Log.Format == "console" || cfg.Log.Format == "auto" && terminal(a.stderr) {
		_, plain := a.lookupEnv("NO_COLOR")
		w = zerolog.ConsoleWriter{Out: a.stderr, TimeFormat: time.TimeOnly, NoColor: plain || !terminal(a.stderr)}
	}
	return zerolog.New(w).Level(level).With().Timestamp().Logger(), nil
}

func terminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}
