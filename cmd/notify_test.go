package cmd

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// The watchdog is fed while nothing is stuck, and not a moment longer.
func TestWatchdogIsNotFedWhenStuck(t *testing.T) {
	t.Parallel()
	ours, theirs := net.Pipe()
	n := &notifier{conn: ours, watchdog: 30 * time.Millisecond}
	ctx, cancel := context.WithCancel(context.Background())
	var stuck atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.watch(ctx, zerolog.Nop(), func() string { return "fine" }, func() string {
			if stuck.Load() {
				return "a loop"
			}
			return ""
		})
	}()
	buf := make([]byte, 1024)
	read := func() string {
		t.Helper()
		k, err := theirs.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		return string(buf[:k])
	}
	if first := read(); first != "READY=1\nSTATUS=fine" {
		t.Errorf("first it said %q", first)
	}
	for range 3 {
		if said := read(); said != "STATUS=fine\nWATCHDOG=1" {
			t.Errorf("it said %q", said)
		}
	}
	stuck.Store(true)
	for !strings.HasPrefix(read(), "STATUS=stuck: a loop") { // one may have been on its way
	}
	for range 3 {
		if said := read(); strings.Contains(said, "WATCHDOG") {
			t.Errorf("stuck, and it said %q", said)
		}
	}
	stuck.Store(false)
	for !strings.Contains(read(), "WATCHDOG=1") {
	}
	cancel()
	_ = theirs.Close()
	<-done
	n.close()
}

func TestNotifierWithoutManager(t *testing.T) {
	t.Parallel()
	for name, env := range map[string]map[string]string{
		"none":         {},
		"nobody":       {"NOTIFY_SOCKET": "/nonexistent/socket"},
		"an empty one": {"NOTIFY_SOCKET": ""},
	} {
		a := &app{lookupEnv: func(key string) (string, bool) { v, ok := env[key]; return v, ok }}
		n := a.newNotifier()
		n.say("READY=1")
		n.watch(t.Context(), zerolog.Nop(), nil, nil) // returns at once, asks nobody
		n.close()
		if n.conn != nil {
			t.Errorf("%s: it found a service manager", name)
		}
	}
}
