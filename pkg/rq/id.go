package rq

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"

	"github.com/google/uuid"
)

// jobID is what RQ >= 2.8 accepts; another id makes its readers raise.
var jobID = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// newJobID returns a UUIDv4 as text.
func newJobID() string { return uuid.NewString() }

// newHexID returns a UUIDv4 as 32 hex digits, as RQ names executions and
// schedulers.
func newHexID() string {
	u := uuid.New()
	return hex.EncodeToString(u[:])
}

func checkJobID(id string) error {
	if !jobID.MatchString(id) {
		return fmt.Errorf("job id %q: only letters, digits, _ and - are allowed", id)
	}
	return nil
}

// checkQueue refuses names that RQ's comma-separated lists of queues, or a
// key, cannot hold.
func checkQueue(q string) error {
	if q == "" || len(q) > 200 || strings.ContainsAny(q, ",\n\x00") || strings.TrimSpace(q) != q {
		return fmt.Errorf("queue name %q: must be 1-200 bytes without commas, line breaks or outer spaces", q)
	}
	return nil
}
