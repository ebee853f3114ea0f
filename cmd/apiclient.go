package cmd

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/signal"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/docsvc/docsvc/pkg/client"
	"github.com/docsvc/docsvc/pkg/standalone"
)

// Where a command that speaks HTTP finds its server and key, beside --server.
const (
	serverEnv  = "DOCSVC_SERVER"
	keyEnv     = "DOCSVC_API_KEY"
	keyFileEnv = "DOCSVC_API_KEY_FILE"

	defaultServer = "http://127.0.0.1:8000"
)

// shortPatience is for commands that somebody waits for.
const shortPatience = 2 * time.Second

// apiFlags are the flags of every command that speaks HTTP.
type apiFlags struct{ server string }

func (f *apiFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.server, "server", "", "address of the API (default $"+serverEnv+
		", else the standalone server of this directory, else "+defaultServer+")")
}

// apiHelp stands in the help of such commands.
const apiHelp = `
It speaks HTTP: the server is --server, or ` + serverEnv + `, or the standalone server
that was started in this directory, or ` + defaultServer + `. A server that asks
for an API key finds it in ` + keyEnv + `, or on the first line of the file that
` + keyFileEnv + ` names.`

// dial makes a client of the server that is meant; nothing is asked of it yet.
func (a *app) dial(f apiFlags, c client.Config) (*client.Client, error) {
	server, origin := a.serverAddress(f)
	key, err := a.apiKey()
	if err != nil {
		return nil, err
	}
	c.Server, c.Key, c.UserAgent = server, key, "docsvc/"+buildVersion()
	api, err := client.New(c)
	if err != nil {
		return nil, &usageError{message: fmt.Sprintf("%v (from %s)", err, origin)}
	}
	return api, nil
}

func (a *app) serverAddress(f apiFlags) (server, origin string) {
	if f.server != "" {
		return f.server, "--server"
	}
	if env, _ := a.lookupEnv(serverEnv); env != "" {
		return env, "environment " + serverEnv
	}
	r, err := standalone.FindRendezvous(".")
	if err != nil {
		fmt.Fprintf(a.stderr, "docsvc: the standalone server of this directory is not used: %v\n", err)
	}
	if r != nil && r.API != "" {
		return r.API, "the standalone server of this directory"
	}
	return defaultServer, "default"
}

func (a *app) apiKey() (string, error) {
	if key, _ := a.lookupEnv(keyEnv); key != "" {
		return strings.TrimSpace(key), nil
	}
	name, _ := a.lookupEnv(keyFileEnv)
	if name == "" {
		return "", nil
	}
	key, err := firstLine(name)
	if err != nil {
		return "", &usageError{message: fmt.Sprintf("the API key that %s names: %v", keyFileEnv, err)}
	}
	return strings.TrimSpace(key), nil
}

// apiError adds to an error of the API what to do about it.
func (a *app) apiError(api *client.Client, err error) error {
	var unreachable *client.UnreachableError
	var p *client.Problem
	switch {
	case errors.Is(err, http.ErrSchemeMismatch):
		return &hintError{error: err, hint: "it speaks no TLS: use http:// instead of https://"}
	case errors.As(err, &unreachable):
		return &hintError{error: err, hint: "start it (docsvc serve --standalone), or say where it is with --server or " + serverEnv}
	case errors.As(err, &p) && p.Status == http.StatusUnauthorized:
		return &hintError{error: fmt.Errorf("%s: %w", api.Server(), err), hint: "give the key in " + keyEnv + ", or a file with it in " + keyFileEnv}
	}
	return err
}

// withAPI wraps the body of a command that makes a few calls: it ends on
// Ctrl-C.
func (a *app) withAPI(f *apiFlags, run func(context.Context, *client.Client, []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		ctx, stop := signal.NotifyContext(c.Context(), stopSignals()...)
		defer stop()
		api, err := a.dial(*f, client.Config{Patience: shortPatience})
		if err != nil {
			return err
		}
		defer api.Close()
		err = run(ctx, api, args)
		if err != nil && ctx.Err() != nil {
			return &silentError{status: exitInterrupted}
		}
		return a.apiError(api, err)
	}
}
