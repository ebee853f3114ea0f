package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// linkVariable is what Kubernetes and old Docker links set for a service that
// is called docsvc-something.
var linkVariable = regexp.MustCompile(`_(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT(_\d+_.*)?)$`)

// Misspelt returns a sentence for each variable of environ ("NAME=value", as
// os.Environ has them) that looks like a setting and is none. It is not an
// error as in the file: the environment is not only ours.
func Misspelt(environ []string) []string {
	var known, settings, sections []string
	for _, k := range Keys() {
		known = append(append(known, EnvName(k.Name)), k.Env...)
		settings = append(settings, strings.TrimPrefix(EnvName(k.Name), envPrefix))
		section, _, _ := strings.Cut(k.Name, ".")
		sections = append(sections, EnvName(section)+"_")
	}
	var found []string
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		ours := slices.ContainsFunc(sections, func(s string) bool { return strings.HasPrefix(name, s) })
		if !ours || value == "" || slices.Contains(known, name) || linkVariable.MatchString(name) {
			continue
		}
		sentence := fmt.Sprintf("environment %s is not a setting and has no effect", name)
		if near := nearest(strings.TrimPrefix(name, envPrefix), settings); near != "" {
			sentence += "; did you mean " + envPrefix + near + "?"
		}
		found = append(found, sentence)
	}
	slices.Sort(found)
	return found
}
