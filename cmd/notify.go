package cmd

import (
	"context"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/rs/zerolog"
)

// statusEvery is how often systemd is told the status where there is no
// watchdog.
const statusEvery = 10 * time.Second

// stuckAfter is how long a loop may take to come round. Each waits for Redis
// within bounds and comes round without an answer, too: that Redis is away is
// no reason to be restarted.
const stuckAfter = time.Minute

// notifier tells systemd how a service is doing, see sd_notify(3). Where nobody
// listens it does nothing.
type notifier struct {
	conn     net.Conn      // nil: nobody listens
	watchdog time.Duration // after which systemd ends a silent service; 0: never
}

func (a *app) newNotifier() *notifier {
	n := &notifier{}
	name, _ := a.lookupEnv("NOTIFY_SOCKET")
	if name == "" {
		return n
	}
	conn, err := net.Dial("unixgram", name) // one that begins with @ is an abstract one
	if err != nil {
		return n
	}
	n.conn = conn
	if pid, ok := a.lookupEnv("WATCHDOG_PID"); ok && pid != strconv.Itoa(os.Getpid()) {
		return n
	}
	text, _ := a.lookupEnv("WATCHDOG_USEC")
	if us, err := strconv.ParseInt(text, 10, 64); err == nil && us > 0 {
		n.watchdog = time.Duration(us) * time.Microsecond
	}
	return n
}

// say sends one state, such as READY=1. What isn't taken is said again soon.
func (n *notifier) say(state string) {
	if n.conn != nil {
		_, _ = n.conn.Write([]byte(state))
	}
}

func (n *notifier) close() {
	if n.conn != nil {
		_ = n.conn.Close()
	}
}

// watch says that the service is ready, and then, until ctx ends, how it is
// doing; the watchdog is fed only while stuck answers "".
func (n *notifier) watch(ctx context.Context, log zerolog.Logger, status, stuck func() string) {
	if n.conn == nil {
		return
	}
	every := statusEvery
	if n.watchdog > 0 {
		every = n.watchdog / 3
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	n.say("READY=1\nSTATUS=" + status())
	for said := ""; ; {
		where := ""
		if n.watchdog > 0 {
			where = stuck()
		}
		switch where {
		case "":
			n.say("STATUS=" + status() + "\nWATCHDOG=1")
		default:
			n.say("STATUS=stuck: " + where)
			if where != said {
				log.Error().Str("stuck", where).Msg("a part of this process does not come round any more: its watchdog isn't fed")
			}
			said = where
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// answers asks the API whether it is alive, over its own port; "" when it is.
func answers(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return ""
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
		if ip.To4() == nil {
			host = "::1"
		}
	}
	client := http.Client{Timeout: stuckAfter / 6, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + net.JoinHostPort(host, port) + "/livez")
	if err != nil {
		return "the HTTP server: " + err.Error()
	}
	_ = resp.Body.Close()
	return ""
}
