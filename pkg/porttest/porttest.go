// Package porttest chooses ports for servers that tests start in processes of
// their own, or stop and start again.
package porttest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"testing"
)

// The ports lie below those that Linux (from 32768), macOS and Windows (from
// 49152) give to whoever asks for any port: while a server is being started,
// or is down for a while, nobody is given its port by chance.
const (
	lowest  = 15000
	highest = 32000
)

// Free returns a host:port of this machine on which nothing listened a moment
// ago.
func Free() (string, error) {
	top := below()
	var last error
	for range 200 {
		addr := fmt.Sprintf("127.0.0.1:%d", lowest+rand.IntN(top-lowest))
		l, err := net.Listen("tcp", addr)
		if err != nil {
			last = err
			continue
		}
		return addr, l.Close()
	}
	return "", fmt.Errorf("looking for a free port: %w", last)
}

// below is the first port that is not chosen: where a Linux was told to give
// away lower ports, those are left out too.
func below() int {
	given := highest
	if b, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		_, _ = fmt.Sscan(string(b), &given)
	}
	if given < lowest+1000 {
		return highest // nothing is left of the range
	}
	return min(given, highest)
}

// Addr returns a host:port on which nothing listened a moment ago.
func Addr(t testing.TB) string {
	t.Helper()
	addr, err := Free()
	if err != nil {
		t.Fatal(err)
	}
	return addr
}
