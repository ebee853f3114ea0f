// Package porttest chooses ports for servers that tests start in processes of
// their own, or stop and start again.
package porttest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// The ports lie below those that Linux (from 32768), macOS and Windows (from
// 49152) give to whoever asks for any port: while a server is being started,
// or is down for a while, nobody is given its port by chance.
const (
	lowest  = 15000
	highest = 32000
)

// Addr returns a host:port on which nothing listened a moment ago.
func Addr(t testing.TB) string {
	t.Helper()
	var last error
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", lowest+rand.IntN(highest-lowest)))
		if err != nil {
			last = err
			continue
		}
		defer func() { _ = l.Close() }()
		return l.Addr().String()
	}
	t.Fatalf("no free port: %v", last)
	return ""
}
