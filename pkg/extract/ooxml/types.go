package ooxml

import "strings"

// HasType reports whether some part's content type contains fragment, such as
// "wordprocessingml.document.main".
func (p *Package) HasType(fragment string) bool {
	for _, t := range p.types {
		if strings.Contains(strings.ToLower(t), fragment) {
			return true
		}
	}
	return false
}
