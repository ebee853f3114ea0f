package ooxml

import (
	"slices"
	"strconv"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// Bounds on what is read of one chart.
const (
	maxSeries = 255
	maxPoints = 2000 // of a series: what people draw has fewer
	// maxChartText bounds one text element; the XML reader's own bound is lower.
	maxChartText = 64 << 20
)

// series is one row of values of a chart, as the file keeps them to show the
// chart without its workbook.
type series struct {
	name   string
	labels []string
	values []string
}

// Chart is what a chart says: its titles, and its data as tables, each with the
// names of series as header row; series that share their labels are in one.
type Chart struct {
	Titles []string
	Tables [][][]string
}

// ReadChart reads a chart's part. What was read before an error is there.
func ReadChart(x *Reader) (Chart, error) {
	var c Chart
	var all []series
	var visit func(t Token) error
	visit = func(t Token) error {
		switch t.Name {
		case "c:title", "cx:title":
			text, err := chartTitle(x)
			if text != "" {
				c.Titles = append(c.Titles, text)
			}
			return err
		case "c:ser":
			if len(all) >= maxSeries {
				return nil
			}
			one, err := readSeries(x)
			all = append(all, one)
			return err
		case "cx:strDim", "cx:numDim":
			if len(all) >= maxSeries {
				return nil
			}
			points, err := readPoints(x, "cx:pt")
			if t.Name == "cx:strDim" || len(all) == 0 {
				all = append(all, series{})
			}
			one := &all[len(all)-1]
			if t.Name == "cx:strDim" {
				one.labels = points
			} else {
				one.values = points
			}
			return err
		case "c:txPr", "c:spPr", "c:externalData", "c:userShapes", "mc:AlternateContent":
			return nil
		}
		return x.Children(visit)
	}
	err := x.Children(visit)
	for len(all) > 0 {
		n := 1
		for n < len(all) && (len(all[n].labels) == 0 || slices.Equal(all[n].labels, all[0].labels)) {
			n++
		}
		if rows := chartRows(all[:n]); rows != nil {
			c.Tables = append(c.Tables, rows)
		}
		all = all[n:]
	}
	return c, err
}

// chartTitle is the text in the title started last, a line for each paragraph.
func chartTitle(x *Reader) (string, error) {
	var lines []string
	var visit func(t Token) error
	visit = func(t Token) error {
		switch t.Name {
		case "a:p":
			lines = append(lines, "")
		case "a:t":
			text, err := x.Content(maxChartText)
			if len(lines) == 0 {
				lines = append(lines, "")
			}
			lines[len(lines)-1] += text
			return err
		case "a:br":
			lines = append(lines, "")
			return nil
		case "c:strCache", "c:pt": // a title that is taken from a cell
		case "c:v":
			text, err := x.Content(maxChartText)
			lines = append(lines, text)
			return err
		}
		return x.Children(visit)
	}
	err := x.Children(visit)
	return block.Tidy(strings.Join(lines, "\n")), err
}

// chartRows are the names of series, then a row for each label; nil when
// there is nothing in them.
func chartRows(all []series) [][]string {
	count := len(all[0].labels)
	header := []string{""}
	for _, one := range all {
		header = append(header, one.name)
		count = max(count, len(one.values))
	}
	rows := [][]string{header}
	filled := strings.Join(header, "") != ""
	at := func(list []string, i int) string {
		if i < len(list) {
			return list[i]
		}
		return ""
	}
	for i := range count {
		row := []string{at(all[0].labels, i)}
		for _, one := range all {
			row = append(row, at(one.values, i))
		}
		if slices.ContainsFunc(row, func(c string) bool { return c != "" }) {
			rows, filled = append(rows, row), true
		}
	}
	if !filled {
		return nil
	}
	return rows
}

func readSeries(x *Reader) (series, error) {
	var one series
	err := x.Children(func(t Token) error {
		var err error
		switch t.Name {
		case "c:tx":
			var name []string
			name, err = readPoints(x, "c:pt")
			one.name = strings.Join(name, " ")
		case "c:cat", "c:xVal":
			one.labels, err = readPoints(x, "c:pt")
		case "c:val", "c:yVal":
			one.values, err = readPoints(x, "c:pt")
		}
		return err
	})
	return one, err
}

// readPoints reads the values cached below the element started last, each at
// the place it says. Of labels on several levels the innermost are read.
func readPoints(x *Reader, point string) ([]string, error) {
	var points []string
	levels := 0
	var visit func(t Token) error
	visit = func(t Token) error {
		switch t.Name {
		case "c:f", "cx:f", "c:formatCode", "c:ptCount":
			return nil
		case "c:lvl":
			if levels++; levels > 1 {
				return nil
			}
		case "c:v": // a name that stands without a cache
			text, err := x.Content(maxChartText)
			points = append(points, value(text))
			return err
		case point:
			i, err := strconv.Atoi(t.Attr("idx"))
			if err != nil || i < 0 || i >= maxPoints {
				return nil
			}
			text, err := pointText(x, point)
			for len(points) <= i {
				points = append(points, "")
			}
			points[i] = value(text)
			return err
		}
		return x.Children(visit)
	}
	err := x.Children(visit)
	return points, err
}

// pointText is the text of a point: in a c:v, or right in a cx:pt.
func pointText(x *Reader, point string) (string, error) {
	if point == "cx:pt" {
		return x.Content(maxChartText)
	}
	text := ""
	err := x.Children(func(t Token) error {
		if t.Name != "c:v" {
			return nil
		}
		var err error
		text, err = x.Content(maxChartText)
		return err
	})
	return text, err
}

// value writes a number without the digits that only come of storing it in
// binary; text as it is.
func value(s string) string {
	s = block.Tidy(s)
	if len(s) < 12 || strings.TrimLeft(s, "-+.0123456789eE") != "" {
		return s
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return s
	}
	f, err = strconv.ParseFloat(strconv.FormatFloat(f, 'g', 12, 64), 64)
	if err != nil {
		return s
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}
