package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// What lies in scripts/demo/samples is what this program writes.
func TestCommittedSamples(t *testing.T) {
	t.Parallel()
	want, err := files()
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir("../demo/samples")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		have, err := os.ReadFile(filepath.Join("../demo/samples", e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(have, want[e.Name()]) {
			t.Errorf("%s differs: go run ./scripts/samples scripts/demo/samples", e.Name())
		}
		delete(want, e.Name())
	}
	for name := range want {
		t.Errorf("%s is missing: go run ./scripts/samples scripts/demo/samples", name)
	}
}
