package rq

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/redis/go-redis/v9"
)

// refusals are the beginnings of what Redis answers when it cannot serve
// although the request was right.
var refusals = []string{
	"BUSY ",        // a script runs too long
	"CLUSTERDOWN ", //
	"LOADING ",     // reading its data after a start
	"MASTERDOWN ",  // a replica cut off from its primary
	"MISCONF ",     // cannot persist
	"NOREPLICAS ",  // too few replicas for a write
	"OOM ",         // maxmemory reached
	"READONLY ",    // a replica, during a failover
	"TRYAGAIN ",    //
	"ERR max number of clients reached",
}

// IsUnavailable reports whether err means that Redis cannot serve now: down,
// loading, out of memory, read-only, timed out. The caller answers 503 or
// waits and repeats. A context canceled by the caller is not that.
func IsUnavailable(err error) bool {
	if err == nil || errors.Is(err, redis.Nil) || errors.Is(err, context.Canceled) {
		return false
	}
	var network net.Error
	if errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, redis.ErrPoolTimeout) ||
		errors.Is(err, redis.ErrPoolExhausted) || errors.Is(err, net.ErrClosed) {
		return true
	}
	var answer redis.Error
	if errors.As(err, &answer) {
		for _, p := range refusals {
			if strings.HasPrefix(answer.Error(), p) {
				return true
			}
		}
	}
	return false
}

// IsFull reports whether err means that Redis has reached its maxmemory. Then
// it refuses what takes memory until somebody has made room; it serves reads,
// deletions and signs of life.
func IsFull(err error) bool {
	var answer redis.Error
	return errors.As(err, &answer) && strings.HasPrefix(answer.Error(), "OOM ")
}

// isWrongType reports that a key is of another type, said by a script or by
// Redis itself.
func isWrongType(err error) bool {
	var key *KeyError
	var answer redis.Error
	return errors.As(err, &key) || errors.As(err, &answer) && strings.HasPrefix(answer.Error(), "WRONGTYPE")
}

// passType lets pass that a key is of another type: to readers it is empty.
func passType(err error) error {
	if isWrongType(err) {
		return nil
	}
	return err
}
