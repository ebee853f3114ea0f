package cmd

import (
	"github.com/spf13/cobra"

	"github.com/docsvc/docsvc/pkg/extract"
)

// extractChild is the hidden command that a worker starts this binary with
// for each of its parser processes.
const extractChild = "_extract"

func (a *app) extractChildCommand() *cobra.Command {
	return &cobra.Command{
		Use: extractChild, Hidden: true, Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if status := extract.RunChild(c.Context()); status != 0 {
				return &silentError{status: status}
			}
			return nil
		},
	}
}
