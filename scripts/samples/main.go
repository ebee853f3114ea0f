// Command samples writes the documents that "make demo" and the tests
// process. They are about a water works that doesn't exist; nobody else's
// text or file is in them. The same source gives the same bytes.
//
//	go run ./scripts/samples scripts/demo/samples
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: samples DIRECTORY")
		os.Exit(2)
	}
	if err := writeAll(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "samples:", err)
		os.Exit(1)
	}
}

func writeAll(dir string) error {
	files, err := files()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// files returns every sample by name.
func files() (map[string][]byte, error) {
	report, err := writeDOCX(report())
	if err != nil {
		return nil, fmt.Errorf("writing relatorio.docx: %w", err)
	}
	manual := writePDF(manual())
	return map[string][]byte{
		"ata.txt":         latin1(minutes),
		"aviso.html":      []byte(notice),
		"manual.pdf":      manual,
		"relatorio.docx":  report,
		"runbook.md":      []byte(runbook),
		"segunda-via.pdf": manual,       // a second copy: a duplicate
		"truncated.pdf":   manual[:400], // an upload that was cut off
	}, nil
}

func latin1(s string) []byte {
	out := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xff {
			panic(fmt.Sprintf("%q is not in Latin-1", r)) // the text is ours
		}
		out = append(out, byte(r))
	}
	return out
}
