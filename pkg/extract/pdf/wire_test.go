package pdf

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

func wirePages() []result {
	return []result{
		{n: 1, page: &page{n: 1, top: -842.1, bottom: 0.1, visible: 7, unmapped: 1, lines: []line{
			{text: "ação\tx", x0: 1.0 / 3, x1: -2e300, y: 4, size: 11, weight: 700, turned: 3, hyphen: true, raised: true, cells: 2},
			{text: "", weight: -1},
		}, asides: []block.Block{{Kind: block.FormField, Text: "v", Label: "n", Page: 1}}}},
		{n: 2, skipped: true},
		{n: 3, failure: "This page could not be read.", trapped: true, exhausted: true},
		{n: 4, page: &page{n: 4, drawn: true, picture: true, lines: []line{}}},
	}
}

func TestPagesSurviveTheirWay(t *testing.T) {
	t.Parallel()
	var b []byte
	var err error
	for _, r := range wirePages() {
		if b, err = appendResult(b, r); err != nil {
			t.Fatal(err)
		}
	}
	got, err := readResults(b)
	if err != nil || !reflect.DeepEqual(got, wirePages()) {
		t.Errorf("%+v, %v", got, err)
	}
	for n := range b {
		if _, err := readResults(b[:n]); err == nil {
			if again, err := readResults(b[:n]); err != nil || len(again) == len(wirePages()) {
				t.Errorf("cut after %d bytes: %d pages, %v", n, len(again), err)
			}
		}
	}
}

// Another process may send anything.
func FuzzReadResults(f *testing.F) {
	for _, r := range wirePages() {
		b, err := appendResult(nil, r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add(bytes.Repeat([]byte{0xff}, 40))
	f.Fuzz(func(t *testing.T, b []byte) {
		all, err := readResults(b)
		if err != nil && len(all) > 0 {
			t.Error("pages and an error")
		}
		if len(all) > len(b) {
			t.Errorf("%d pages of %d bytes", len(all), len(b))
		}
	})
}
