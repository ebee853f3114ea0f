package docx

import (
	"strings"
	"unicode/utf8"

	"github.com/docsvc/docsvc/pkg/extract/ooxml"
)

// math writes an equation on one line, as it would be typed: x^2, a/b, √(x).
func (s *story) math(p *paragraph) error {
	text, err := s.formula()
	if p.math { // two equations with nothing between them
		p.write(" ")
	}
	p.write(text)
	p.math = true
	return err
}

// formula reads the children of the element started last, one after another.
func (s *story) formula() (string, error) {
	var b strings.Builder
	err := s.x.Children(func(t ooxml.Token) error {
		text, err := s.term(t)
		b.WriteString(text)
		return err
	})
	return b.String(), err
}

func (s *story) term(t ooxml.Token) (string, error) {
	switch t.Name {
	case "m:oMath":
		text, err := s.formula()
		return text + "\n", err
	case "m:r", "w:r", "w:ins":
		p := &paragraph{}
		err := s.inline(p)
		return p.text.String(), err
	case "w:del", "w:moveFrom", "w:rPr", "m:ctrlPr":
		return "", nil
	}
	args, props, err := s.arguments()
	get := func(name string) string { return args["m:"+name] }
	switch t.Name {
	case "m:f":
		return group(get("num")) + "/" + group(get("den")), err
	case "m:sSup":
		return get("e") + "^" + group(get("sup")), err
	case "m:sSub":
		return get("e") + "_" + group(get("sub")), err
	case "m:sSubSup", "m:sPre":
		return get("e") + "_" + group(get("sub")) + "^" + group(get("sup")), err
	case "m:rad":
		return get("deg") + "√" + group(get("e")), err
	case "m:nary":
		out := or(props["m:chr"], "∫")
		if v := get("sub"); v != "" {
			out += "_" + group(v)
		}
		if v := get("sup"); v != "" {
			out += "^" + group(v)
		}
		return out + " " + get("e"), err
	case "m:d":
		return or(props["m:begChr"], "(") + get("e") + or(props["m:endChr"], ")"), err
	case "m:func":
		return get("fName") + " " + get("e"), err
	case "m:m", "m:eqArr":
		return get("rows"), err
	case "m:limLow", "m:limUpp":
		return get("e") + "_" + group(get("lim")), err
	}
	return get("all"), err
}

// arguments reads the operands of a mathematical element by name. "m:all" has
// them one after another, "m:rows" as the rows of a matrix. Character
// properties come in props.
func (s *story) arguments() (args, props map[string]string, err error) {
	operands, props := map[string][]string{}, map[string]string{}
	var rows []string
	err = s.x.Children(func(t ooxml.Token) error {
		if strings.HasSuffix(t.Name, "Pr") {
			return s.x.Children(func(t ooxml.Token) error {
				if v, ok := t.Lookup("m:val"); ok && len(v) <= 16 {
					props[t.Name] = v
					if v == "" {
						props[t.Name] = " "
					}
				}
				return nil
			})
		}
		name := t.Name // the token is gone after reading on
		text, err := s.operand(t)
		operands[name] = append(operands[name], text)
		rows = append(rows, text)
		return err
	})
	args = map[string]string{"m:all": strings.Join(rows, ""), "m:rows": strings.Join(rows, "; ")}
	for name, texts := range operands {
		args[name] = strings.Join(texts, ", ")
	}
	return args, props, err
}

// operand is the text of one operand; in a row of a matrix its cells.
func (s *story) operand(t ooxml.Token) (string, error) {
	switch t.Name {
	case "m:mr":
		args, _, err := s.arguments()
		return args["m:e"], err
	case "m:e", "m:num", "m:den", "m:sub", "m:sup", "m:deg", "m:fName", "m:lim":
		return s.formula()
	}
	return s.term(t)
}

func group(s string) string {
	if utf8.RuneCountInString(s) <= 1 || isWord(s) {
		return s
	}
	return "(" + s + ")"
}

func isWord(s string) bool {
	for _, r := range s {
		if r < '0' || r > '9' {
			return false
		}
	}
	return true
}

func or(s, otherwise string) string {
	switch s {
	case "":
		return otherwise
	case " ":
		return "" // said to be nothing
	}
	return s
}
