package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
)

// freeAddr returns a free address of this machine. Ports from which the system
// chooses by itself are left out: of a process that was killed and comes back,
// another program could take the port meanwhile.
func freeAddr() (string, error) {
	low := 32768
	if b, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		_, _ = fmt.Sscan(string(b), &low)
	}
	const first = 10000
	if low <= first+1000 {
		low = 32768
	}
	var last error
	for range 200 {
		addr := fmt.Sprintf("127.0.0.1:%d", first+rand.IntN(low-first))
		l, err := net.Listen("tcp", addr)
		if err != nil {
			last = err
			continue
		}
		return addr, l.Close()
	}
	return "", fmt.Errorf("looking for a free port: %w", last)
}
