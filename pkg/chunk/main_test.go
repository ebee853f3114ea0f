package chunk

import (
	"flag"
	"os"
	"testing"
)

// The properties are tried with the same values every time, unless flags say
// otherwise.
func TestMain(m *testing.M) {
	for name, value := range map[string]string{"rapid.seed": "5", "rapid.nofailfile": "true"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
