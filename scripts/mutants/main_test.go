package main

import (
	"testing"

	"go.uber.org/goleak"
)

// A goroutine that outlives its test has no owner.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
