// Package ocr speaks with tesseract, the program that recognises characters in
// pictures: what it is called with, what it says of itself, and what its answers
// mean. It starts nothing; package extract does, in a cage.
//
// An image goes in through standard input as an uncompressed gray bitmap (PGM)
// that docsvc has made itself: of the formats that strangers' images come in,
// tesseract's libraries never see one. The answer comes back over standard output
// as a table of words with places and confidences (TSV).
package ocr

import (
	"bufio"
	"bytes"
	"fmt"
	"image"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Engine is a tesseract that was found.
type Engine struct {
	Path      string   // of the program
	Version   string   // as it calls itself: "5.3.0"
	Languages []string // that it has data for, sorted
}

// VersionArguments and LanguageArguments ask a tesseract what it is.
func VersionArguments() []string  { return []string{"--version"} }
func LanguageArguments() []string { return []string{"--list-langs"} }

var version = regexp.MustCompile(`(?m)^tesseract v?([0-9][0-9A-Za-z.+_-]*)`)

// ReadVersion finds the version in the answer to VersionArguments.
func ReadVersion(answer []byte) (string, error) {
	m := version.FindSubmatch(answer)
	if m == nil {
		return "", fmt.Errorf("this is not the answer of a tesseract: %.60q", firstLine(answer))
	}
	return string(m[1]), nil
}

func firstLine(b []byte) []byte {
	line, _, _ := bytes.Cut(bytes.TrimSpace(b), []byte("\n"))
	return line
}

// maxLanguages bounds a list of languages: there are some 130.
const maxLanguages = 1000

// language is what tesseract's data files are called, without the ending:
// "por", "chi_sim", "script/Latin".
var language = regexp.MustCompile(`^[A-Za-z0-9_]+(/[A-Za-z0-9_]+)?$`)

// ReadLanguages reads the answer to LanguageArguments: a headline, then one
// language a line. Data that is no language, for orientation and equations, is left out.
func ReadLanguages(answer []byte) []string {
	var all []string
	for line := range strings.Lines(string(answer)) {
		line = strings.TrimSpace(line)
		if language.MatchString(line) && line != "osd" && line != "equ" && len(all) < maxLanguages {
			all = append(all, line)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// ParseLanguages reads a list of languages as it is set: "eng+por", or with
// commas or blanks between.
func ParseLanguages(list string) ([]string, error) {
	names := strings.FieldsFunc(list, func(r rune) bool { return r == '+' || r == ',' || r == ' ' })
	if len(names) == 0 {
		return nil, fmt.Errorf("no language is named; write it as eng or eng+por")
	}
	const most = 10
	if len(names) > most {
		return nil, fmt.Errorf("%d languages are named, at most %d can be looked for at once", len(names), most)
	}
	for i, name := range names {
		if !language.MatchString(name) {
			return nil, fmt.Errorf("%q is no name of a language as tesseract has them (eng, por, chi_sim)", name)
		}
		if slices.Contains(names[:i], name) {
			return nil, fmt.Errorf("%s is named twice", name)
		}
	}
	return names, nil
}

// Missing lists those of the languages wanted that the engine has no data for.
func (e *Engine) Missing(wanted []string) []string {
	var missing []string
	for _, l := range wanted {
		if !slices.Contains(e.Languages, l) {
			missing = append(missing, l)
		}
	}
	return missing
}

// Stamp names the engine and what it is asked for: with the same stamp the same
// picture gives the same text.
func (e *Engine) Stamp(languages []string) string {
	return "tesseract/" + e.Version + "(" + strings.Join(languages, "+") + ")"
}

// Arguments are those for one image on standard input. dpi is 0 when the
// resolution is unknown; tesseract then estimates it.
func Arguments(languages []string, dpi int) []string {
	args := []string{"stdin", "stdout", "-l", strings.Join(languages, "+")}
	if dpi > 0 {
		args = append(args, "--dpi", strconv.Itoa(dpi))
	}
	return append(args, "tsv")
}

// Environment is what a tesseract is started with beside what says where its
// data and libraries are: one thread, since docsvc runs as many of it as it has slots.
func Environment() []string { return []string{"OMP_THREAD_LIMIT=1", "LC_ALL=C"} }

// Bitmap is an image as a PGM file.
func Bitmap(im *image.Gray) io.Reader {
	w, h := im.Rect.Dx(), im.Rect.Dy()
	head := fmt.Sprintf("P5\n%d %d\n255\n", w, h)
	if im.Stride == w {
		return io.MultiReader(strings.NewReader(head), bytes.NewReader(im.Pix[:w*h]))
	}
	parts := []io.Reader{strings.NewReader(head)}
	for y := range h {
		parts = append(parts, bytes.NewReader(im.Pix[y*im.Stride:y*im.Stride+w]))
	}
	return io.MultiReader(parts...)
}

// lines is a scanner over an answer, whose lines are bounded.
func lines(answer []byte) *bufio.Scanner {
	s := bufio.NewScanner(bytes.NewReader(answer))
	s.Buffer(nil, 1<<20)
	return s
}
