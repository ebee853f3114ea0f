//go:build linux && !amd64 && !arm64

package cage

import "errors"

func installFilter() error {
	return errors.New("docsvc has no seccomp filter for this architecture")
}

func refuseCalls() error { return installFilter() }
