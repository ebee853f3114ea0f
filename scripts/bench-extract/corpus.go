package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract"
	"github.com/docsvc/docsvc/pkg/extract/detect"
)

var errUsage = errors.New("wrong arguments")

// reference is a text to compare with.
type reference struct {
	truth bool // made by hand; else another extractor's
	words []string
}

// file is one document.
type file struct {
	path       string
	format     string // what it is, or its ending
	references []reference
}

// fewest words that a reference must have: of less, one word decides.
const fewest = 20

// find lists the documents below dir with their references, in the order of
// their names. References may lie in truth and ref below beside, too.
func find(dir, beside string) ([]*file, error) {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("%w: %s is not a directory", errUsage, dir)
	}
	var files []*file
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			if path != dir && (e.Name() == "truth" || e.Name() == "ref") {
				return filepath.SkipDir
			}
			return nil
		}
		if !e.Type().IsRegular() || isReference(path) || isList(path) {
			return nil
		}
		f := &file{path: path}
		if f.format, err = formatOf(path); err != nil {
			return err
		}
		if f.references, err = references(dir, beside, path); err != nil {
			return err
		}
		files = append(files, f)
		return nil
	})
	return files, err
}

// isReference reports names like b.docx.truth.md.
func isReference(path string) bool {
	base := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(path), ".md"), ".txt")
	return base != filepath.Base(path) && (strings.HasSuffix(base, ".truth") || strings.HasSuffix(base, ".ref"))
}

// isList reports files about documents rather than such: lists of what lies
// in a directory, and hidden files.
func isList(path string) bool {
	base := strings.ToLower(filepath.Base(path))
	return strings.HasPrefix(base, ".") || strings.HasPrefix(base, "manifest.")
}

// references reads the texts that belong to a document.
func references(dir, beside, path string) ([]reference, error) {
	rel, err := filepath.Rel(dir, path)
	if err != nil {
		return nil, err
	}
	var found []reference
	for _, kind := range []string{"truth", "ref"} {
		places := []string{path + "." + kind, filepath.Join(dir, kind, rel), filepath.Join(filepath.Dir(path), kind, filepath.Base(path))}
		if beside != "" {
			places = append(places, filepath.Join(beside, kind, rel))
		}
		text, err := firstText(places)
		if err != nil {
			return nil, err
		}
		if w := words(unmarked(text)); len(w) >= fewest {
			found = append(found, reference{truth: kind == "truth", words: w})
		}
	}
	return found, nil
}

// firstText reads the first of these files that exists, .md or .txt; "" when
// there is none.
func firstText(places []string) (string, error) {
	for _, place := range places {
		for _, ending := range []string{".md", ".txt"} {
			text, err := os.ReadFile(place + ending)
			if err == nil {
				return strings.ToValidUTF8(string(text), "\ufffd"), nil
			}
			if !errors.Is(err, fs.ErrNotExist) {
				return "", err
			}
		}
	}
	return "", nil
}

// formatOf is docsvc's name of what a file is, or the file's ending where
// docsvc does not read it.
func formatOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	found, err := extract.Detect(f, info.Size(), filepath.Base(path), "")
	var coded *extract.Error
	switch {
	case err == nil:
		return found.Format, nil
	case !errors.As(err, &coded):
		return "", fmt.Errorf("reading %s: %w", path, err)
	}
	ending := strings.ToLower(strings.TrimPrefix(filepath.Ext(path), "."))
	if slices.Contains([]string{"png", "jpg", "jpeg", "gif", "tif", "tiff", "bmp", "webp"}, ending) {
		return detect.Image, nil
	}
	return ending, nil
}
