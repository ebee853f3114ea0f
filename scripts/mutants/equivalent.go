package main

import (
	"fmt"
	"strings"
)

// readEquivalent reads the list of mutants that change nothing that anybody
// could see. A line is the mutant's name, " ## " and the reason.
func readEquivalent(text string) (map[string]string, error) {
	known := map[string]string{}
	for i, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		id, why, ok := strings.Cut(line, " ## ")
		id, why = strings.TrimSpace(id), strings.TrimSpace(why)
		if !ok || id == "" || why == "" {
			return nil, fmt.Errorf("equivalent.txt:%d: want the mutant's name, \" ## \" and the reason", i+1)
		}
		if known[id] != "" {
			return nil, fmt.Errorf("equivalent.txt:%d: %s is there twice", i+1, id)
		}
		known[id] = why
	}
	return known, nil
}
