package rq

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

// A goroutine that outlives its test has no owner. The models take the same
// steps every time, unless flags say otherwise, as "make model" does.
func TestMain(m *testing.M) {
	for name, value := range map[string]string{"rapid.seed": "5", "rapid.checks": "25", "rapid.steps": "50", "rapid.nofailfile": "true"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}
