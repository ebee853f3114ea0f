package cmd

import (
	"errors"

	"github.com/docsvc/docsvc/pkg/client"
	"github.com/docsvc/docsvc/pkg/config"
	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/rq"
)

// Exit statuses, documented in the root command's help.
const (
	exitDone      = 0
	exitFailed    = 1
	exitUsage     = 2
	exitNotFound  = 3
	exitUnhealthy = 4

	exitInterrupted = 130 // as shells have it for SIGINT
)

// usageError is a command line that can't be right.
type usageError struct{ message, hint string }

func (e *usageError) Error() string { return e.message }

// hintError adds what to do next to an error.
type hintError struct {
	error
	hint string
}

func (e *hintError) Unwrap() error { return e.error }

// silentError ends a command that has already said everything on stdout.
type silentError struct{ status int }

func (e *silentError) Error() string { return "failed" }

func exitStatus(err error) int {
	var usage *usageError
	var setting *config.Error
	var silent *silentError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &silent):
		return silent.status
	case errors.As(err, &usage), errors.As(err, &setting):
		return exitUsage
	case errors.Is(err, rq.ErrNoJob), errors.Is(err, errNoQueue), client.IsNotFound(err), isNoDocument(err):
		return exitNotFound
	default:
		return exitFailed
	}
}

// isNoDocument reports whether err says that there is no such document.
func isNoDocument(err error) bool {
	var e *document.Error
	return errors.As(err, &e) && e.Kind == document.NotFound
}
