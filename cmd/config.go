package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/docsvc/docsvc/pkg/config"
	"github.com/docsvc/docsvc/pkg/objstore"
)

func (a *app) configCommand() *cobra.Command {
	return group("config", "Show and check the settings", a.configPrintCommand(), a.configCheckCommand())
}

func (a *app) configPrintCommand() *cobra.Command {
	var out output
	c := &cobra.Command{
		Use: "print", Short: "Print every setting and where it came from; secrets are masked", Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			a.sayMisspelt()
			cfg, err := a.loadConfig()
			if err != nil {
				return err
			}
			values := cfg.Values()
			return out.print(a.stdout, values, func(w io.Writer) error {
				var rows [][]string
				for _, v := range values {
					rows = append(rows, []string{v.Key, dash(v.Value), v.Origin})
				}
				return table(w, []string{"KEY", "VALUE", "FROM"}, rows)
			})
		},
	}
	out.add(c)
	return c
}

// sayMisspelt names variables of the environment that were meant as settings.
func (a *app) sayMisspelt() {
	for _, sentence := range config.Misspelt(a.environ()) {
		fmt.Fprintln(a.stderr, "docsvc: "+sentence)
	}
}

// check is one line of config check.
type check struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	Note string `json:"note,omitempty"`
	// InForce is set for what protects from parser processes, which is as the kernel allows: not OK
	// only when no such process starts; and for text recognition, which is as tesseract allows.
	InForce *bool  `json:"in_force,omitempty"`
	Error   string `json:"error,omitempty"`
}

func (a *app) configCheckCommand() *cobra.Command {
	var out output
	c := &cobra.Command{
		Use: "check", Short: "Try the settings: Redis, storage, directories", Args: noArgs,
		Long: "Connects to Redis; puts, fetches and deletes a probe object, once through a presigned URL;\n" +
			"writes to the work and cache directories; reads the key files; starts a parser process and lists\n" +
			"what keeps it from the rest of the machine (absent: this kernel doesn't have it; extraction\n" +
			"goes on without). Exit status 1 when something is wrong.",
		RunE: a.withServices(func(ctx context.Context, s *services, _ []string) error {
			a.sayMisspelt()
			checks := append(append(s.check(ctx), s.cageChecks(ctx)...), s.ocrCheck(ctx))
			err := out.print(a.stdout, checks, func(w io.Writer) error { return printChecks(w, s.config, checks) })
			if err != nil {
				return err
			}
			for _, c := range checks {
				if !c.OK {
					return &silentError{status: exitFailed}
				}
			}
			return nil
		}),
	}
	out.add(c)
	return c
}

func printChecks(w io.Writer, cfg *config.Config, checks []check) error {
	file := cfg.File
	if file == "" {
		file = "none found; defaults and environment only"
	}
	if _, err := fmt.Fprintf(w, "configuration file: %s\n", file); err != nil {
		return err
	}
	var rows [][]string
	for _, c := range checks {
		result := "ok"
		switch {
		case !c.OK:
			result = "wrong"
		case c.InForce != nil && !*c.InForce:
			result = "absent"
		}
		rows = append(rows, []string{c.Name, result, c.Note + c.Error})
	}
	return table(w, []string{"CHECK", "RESULT", ""}, rows)
}

func (s *services) check(ctx context.Context) []check {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	run := func(name, note string, f func() error) check {
		if err := f(); err != nil {
			return check{Name: name, Error: err.Error()}
		}
		return check{Name: name, OK: true, Note: note}
	}
	return []check{
		run("redis", s.config.PlainRedisURL(), func() error { return s.checkRedis(ctx) }),
		run("storage", s.config.Storage.Endpoint+" bucket "+s.config.Storage.Bucket, func() error { return s.probeStorage(ctx) }),
		run("work directory", s.workDir(), func() error { return writable(s.workDir()) }),
		run("cache directory", s.cacheDir(), func() error { return writable(s.cacheDir()) }),
		run("api keys", "", func() error { _, err := s.config.APIKeys(); return err }),
		run("listen address", s.config.Server.Addr, func() error { return s.checkExposure() }),
	}
}

// checkRedis returns why the Redis server won't do: not reachable, or with a
// setting that the promise does not hold with.
func (s *services) checkRedis(ctx context.Context) error {
	warnings, _, err := s.health.RedisSettings(ctx)
	if err == nil && len(warnings) > 0 {
		err = errors.New(warnings[0])
	}
	return err
}

// probeStorage tries what docsvc does with its bucket. One that is missing is
// said with how it comes to be.
func (s *services) probeStorage(ctx context.Context) error {
	err := s.store.Probe(ctx)
	if objstore.IsNoBucket(err) {
		next := "create it, or set storage.create_bucket"
		if s.config.Storage.CreateBucket {
			next = "docsvc serve creates it at its start"
		}
		return fmt.Errorf("bucket %q does not exist: %s", s.config.Storage.Bucket, next)
	}
	return err
}

// cageChecks asks a parser process what it is kept to.
func (s *services) cageChecks(ctx context.Context) []check {
	const name = "parser processes"
	pool, err := s.extractPool(1)
	if err != nil {
		return []check{{Name: name, Error: err.Error()}}
	}
	defer func() { _ = pool.Close() }()
	report, err := pool.Cage(ctx)
	if err != nil {
		return []check{{Name: name, Error: err.Error()}}
	}
	var checks []check
	for _, p := range report {
		checks = append(checks, check{Name: name + ": " + p.Name, OK: true, Note: p.Note, InForce: &p.InForce})
	}
	return checks
}

// writable makes the directory when it is missing, and a file in it.
func writable(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".docsvc-check-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// checkExposure refuses to listen beyond this machine without a key.
func (s *services) checkExposure() error {
	keys, err := s.config.APIKeys()
	if err != nil {
		return err
	}
	if len(keys) == 0 && !s.config.Server.Insecure && !config.Loopback(s.config.Server.Addr) {
		return &config.Error{Key: "server.addr", Origin: s.config.Origins["server.addr"],
			Problem: s.config.Server.Addr + " is reachable from other machines: set server.api_key_file (DOCSVC_API_KEY_FILE), or allow it with --insecure"}
	}
	return nil
}
