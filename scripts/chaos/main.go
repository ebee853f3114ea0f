package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
)

func main() {
	if len(os.Args) == 4 && os.Args[1] == "s3" {
		if err := runS3(os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
	quiet()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := chaos(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

// quiet keeps libraries from saying what this program does to them.
func quiet() {
	zerolog.SetGlobalLevel(zerolog.Disabled) // toxiproxy
	redis.SetLogger(silence{})
}

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

// errFound ends a run that found something.
var errFound = errors.New("the run found what must not be, see above; its seed repeats the plan of faults and documents")

// choose changes the options to those of a scenario.
func (o *options) choose(scenario string) error {
	switch scenario {
	case "main":
	case "limit":
		// One slot, so that a deadly job takes no other's worker.
		o.recoveryLimit, o.deadly, o.calm, o.concurrency, o.workers, o.lease = 5, 8, true, 1, 3, 3*time.Second
		o.documents, o.noops, o.kills = 30, 60, o.deadly*o.recoveryLimit
	case "everysec":
		o.fsync, o.power, o.kills, o.documents, o.noops, o.lease = "everysec", true, 120, 300, 500, 3*time.Second
		o.redisEvery = 5 * time.Second
	default:
		return fmt.Errorf("-scenario %q: it is main, limit or everysec", scenario)
	}
	return nil
}

func chaos(ctx context.Context) error {
	o := options{fsync: "always", lease: productLease, workers: 5, serves: 2, concurrency: 2, every: 300 * time.Millisecond, redisEvery: 15 * time.Second, recoveryLimit: 1 << 20}
	flag.Uint64Var(&o.seed, "seed", uint64(time.Now().UnixNano()%1e9), "what the plan comes from")
	flag.IntVar(&o.kills, "kills", 1000, "end after so many kills; 0: by the time alone")
	flag.DurationVar(&o.limit, "limit", 30*time.Minute, "end after so long at the latest")
	flag.IntVar(&o.documents, "documents", 2500, "documents in the plan")
	flag.IntVar(&o.noops, "jobs", 4000, "jobs in the plan that do nothing")
	flag.StringVar(&o.docsvc, "docsvc", "", "a docsvc built with the tag failpoint (default: it is built)")
	flag.BoolVar(&o.keep, "keep", false, "leave the directory with logs, keys and objects")
	scenario := flag.String("scenario", "main", "main, limit (jobs that kill their worker) or everysec (power failures of Redis)")
	short := flag.Bool("short", false, "a run of some 25 s, for make test")
	flag.Parse()
	if *short {
		o.kills, o.limit, o.documents, o.noops, o.lease, o.workers = 40, time.Minute, 50, 100, 3*time.Second, 3
	}
	if err := o.choose(*scenario); err != nil {
		return err
	}
	flag.Parse() // what was asked for goes before what the scenario says
	x, err := newRun(o)
	if err != nil {
		return err
	}
	defer x.close()
	if x.site.server == "" {
		return errors.New("no redis-server on PATH or below .cache: scripts/fetch-redis.sh fetches one")
	}
	fmt.Printf("seed %d: %d kills, %d documents, %d jobs; %s\n", o.seed, o.kills, o.documents, o.noops, x.site.dir)
	out, err := x.all(ctx)
	if out != nil {
		out.print(os.Stdout)
	}
	if err != nil {
		return err
	}
	if !out.good() {
		return errFound
	}
	return nil
}
