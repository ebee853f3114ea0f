package cmd

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/sys/unix"

	"github.com/docsvc/docsvc/pkg/client"
	"github.com/docsvc/docsvc/pkg/filewalk"
	"github.com/docsvc/docsvc/pkg/ingest"
)

// How the progress of an ingest is shown, on stderr:
//
//   - On a terminal a line for each file that is being worked on, and one for
//     all of them; what goes wrong is printed above them as it happens.
//   - Elsewhere a line for each file that ended, but for those that were there
//     already, and one each time the server can't be reached.
//   - Nothing is longer than the terminal is wide, and no name can play with it.

// showAfter keeps files that are done at once from flickering by.
const showAfter = 200 * time.Millisecond

// Bars are drawn this many columns wide, in terminals of at least so many.
const (
	barWidth = 20
	barFrom  = 60
)

// retryNotice is how often an outage is spoken of.
const retryNotice = 30 * time.Second

// progress shows a run. It is safe for use by several goroutines.
type progress struct {
	w     io.Writer
	bars  *mpb.Progress // nil without a terminal
	total *mpb.Bar
	begun time.Time

	mu      sync.Mutex
	lines   map[string]*progressLine // by path
	found   int                      // files
	listed  bool
	counts  map[ingest.Outcome]int
	waiting map[string]bool      // in the server's queue
	sent    int64                // bytes, also those sent in vain
	retried map[string]time.Time // when an outage was last spoken of, by server
	outages map[string]bool      // those that were spoken of and last, by server
}

// progressLine is a file that is being worked on.
type progressLine struct {
	ingest.Progress
	begun time.Time
	sent  int64    // bytes of this try
	shown bool     // it has lasted for showAfter
	bar   *mpb.Bar // nil until it is shown
}

// newProgress shows parallel uploads and as many waits.
func (a *app) newProgress(parallel int) *progress {
	p := &progress{w: a.stderr, begun: time.Now(), lines: map[string]*progressLine{}, outages: map[string]bool{}, retried: map[string]time.Time{}, waiting: map[string]bool{}, counts: map[ingest.Outcome]int{}}
	if term, _ := a.lookupEnv("TERM"); !terminal(a.stderr) || term == "dumb" {
		return p
	}
	p.drawOn(mpb.New(mpb.WithOutput(a.stderr), mpb.WithAutoRefresh(), mpb.WithQueueLen(2*parallel+2)))
	return p
}

func (p *progress) drawOn(bars *mpb.Progress) {
	p.bars = bars
	p.total, _ = bars.Add(0, mpb.BarFillerFunc(p.drawTotal), mpb.BarPriority(1<<30))
}

func (p *progress) live() bool { return p.bars != nil }

// close takes the display away; what was said stays.
func (p *progress) close() {
	if p.bars == nil {
		return
	}
	p.mu.Lock()
	var bars []*mpb.Bar
	for path := range p.lines {
		bars = append(bars, p.drop(path))
	}
	p.mu.Unlock()
	for _, bar := range append(bars, p.total) {
		abort(bar)
	}
	p.bars.Wait()
}

// say prints a line of its own.
func (p *progress) say(format string, args ...any) {
	line := fmt.Sprintf(format, args...) + "\n"
	if p.bars != nil {
		if _, err := io.WriteString(p.bars, line); err == nil {
			return
		}
	}
	_, _ = io.WriteString(p.w, line)
}

// retrying is told of each try that failed and is made again.
func (p *progress) retrying(err error, wait time.Duration) {
	p.mu.Lock()
	now := time.Now()
	server := ""
	var unreachable *client.UnreachableError
	if errors.As(err, &unreachable) {
		server = unreachable.Server
	}
	tell := now.Sub(p.retried[server]) >= retryNotice
	if tell {
		p.retried[server], p.outages[server] = now, true
	}
	p.mu.Unlock()
	if tell {
		p.say("docsvc: %v; trying again for up to 2 minutes", err)
	}
}

// answering is told when a server can be reached again.
func (p *progress) answering(server string) {
	p.mu.Lock()
	tell := p.outages[server]
	delete(p.outages, server)
	p.mu.Unlock()
	if tell {
		p.say("docsvc: %s answers again", server)
	}
}

func (p *progress) add() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.found++
}

func (p *progress) all() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.listed = true
}

// move shows how far a file is. One that waits in the queue has no line: there
// may be thousands.
func (p *progress) move(m ingest.Progress) {
	if p.bars == nil {
		return
	}
	if m.Phase == ingest.Waiting {
		p.mu.Lock()
		bar := p.drop(m.Path)
		p.waiting[m.Path] = true
		p.mu.Unlock()
		abort(bar)
		return
	}
	p.mu.Lock()
	l := p.lines[m.Path]
	if l == nil {
		l = &progressLine{begun: time.Now()}
		p.lines[m.Path] = l
	}
	if m.Phase == ingest.Uploading {
		p.sent += max(0, m.Done-l.sent)
		l.sent = m.Done
	}
	delete(p.waiting, m.Path)
	l.Progress = m
	show := !l.shown && time.Since(l.begun) >= showAfter
	l.shown = l.shown || show
	p.mu.Unlock()
	if show {
		p.show(m.Path, l)
	}
}

// show gives a file its line. Bars are never called with p.mu held: they wait
// for the drawing of lines, which takes it.
func (p *progress) show(path string, l *progressLine) {
	bar, err := p.bars.Add(0, p.drawFile(path))
	if err != nil {
		return
	}
	p.mu.Lock()
	gone := p.lines[path] != l
	l.bar = bar
	p.mu.Unlock()
	if gone {
		abort(bar)
	}
}

// drop forgets a file's line and returns its bar, to be aborted without p.mu,
// which is held here.
func (p *progress) drop(path string) *mpb.Bar {
	l := p.lines[path]
	delete(p.lines, path)
	if l == nil {
		return nil
	}
	return l.bar
}

func abort(bar *mpb.Bar) {
	if bar != nil {
		bar.Abort(true)
	}
}

func (p *progress) end(r *ingest.Result) {
	p.mu.Lock()
	bar := p.drop(r.Path)
	if r.Outcome != ingest.Interrupted { // it is not done
		p.counts[r.Outcome]++
	}
	delete(p.waiting, r.Path)
	done, found := p.done(), p.found
	p.mu.Unlock()
	abort(bar)
	line := resultLine(r)
	switch {
	case r.Outcome == ingest.Present, r.Outcome == ingest.Interrupted:
	case p.bars == nil:
		p.say("[%d/%d] %s", done, found, line)
	case r.Bad():
		p.say("%s", line)
	}
}

// done is how many files have ended. p.mu is held.
func (p *progress) done() int {
	n := 0
	for _, c := range p.counts {
		n += c
	}
	return n
}

// resultLine says in one line what became of a file.
func resultLine(r *ingest.Result) string {
	line := filewalk.Printable(r.Path) + ": " + string(r.Outcome)
	switch {
	case r.Reason != "":
		line += ": " + printable(r.Reason)
	case r.Outcome == ingest.Completed || r.Outcome == ingest.Queued:
		line += fmt.Sprintf(" (%s, document %s, %.1f s)", ingest.Bytes(r.Size), r.DocumentID, r.Seconds)
	}
	return line
}

// drawTotal is the line of all files.
func (p *progress) drawTotal(w io.Writer, st decor.Statistics) error {
	p.mu.Lock()
	of := fmt.Sprint(p.found)
	if !p.listed {
		of += "+"
	}
	elapsed := time.Since(p.begun)
	parts := []string{fmt.Sprintf("%d of %s files", p.done(), of)}
	if n := p.counts[ingest.Failed]; n > 0 {
		parts = append(parts, fmt.Sprintf("%d failed", n))
	}
	if n := len(p.waiting); n > 0 {
		parts = append(parts, fmt.Sprintf("%d waiting at the server", n))
	}
	parts = append(parts, elapsed.Truncate(time.Second).String())
	if p.sent > 0 {
		parts = append(parts, ingest.Bytes(p.sent)+" sent")
	}
	for _, l := range p.lines {
		if l.Phase == ingest.Uploading {
			parts = append(parts, ingest.Bytes(int64(float64(p.sent)/max(elapsed.Seconds(), 0.1)))+"/s")
			break
		}
	}
	line := parts[0]
	if st.AvailableWidth >= barFrom {
		line = "[" + drawn(p.done(), p.found, p.listed) + "] " + line
	}
	p.mu.Unlock()
	for _, part := range parts[1:] {
		if runewidth.StringWidth(line)+2+len(part) < st.AvailableWidth {
			line += ", " + part
		}
	}
	_, err := io.WriteString(w, fit(line, st.AvailableWidth-1))
	return err
}

// drawFile is the line of one file: name, bar, how far, and at what.
func (p *progress) drawFile(path string) mpb.BarFillerFunc {
	return func(w io.Writer, st decor.Statistics) error {
		p.mu.Lock()
		l, ok := p.lines[path]
		var m ingest.Progress
		if ok {
			m = l.Progress
		}
		p.mu.Unlock()
		_, err := io.WriteString(w, fileLine(m, st.AvailableWidth-1))
		return err
	}
}

// fileLine writes a file's progress in at most width columns: first the step
// goes, then the bar, then the end of the name.
func fileLine(m ingest.Progress, width int) string {
	percent := 100
	if m.Total > 0 {
		percent = int(100 * m.Done / m.Total)
	}
	figures := fmt.Sprintf("%3d%%", percent)
	step := m.Step
	switch m.Phase {
	case ingest.Reading:
		step = "reading " + ingest.Bytes(m.Total)
	case ingest.Uploading:
		step = fmt.Sprintf("%s of %s sent", ingest.Bytes(m.Done), ingest.Bytes(m.Total))
	}
	name := filewalk.Printable(m.Path)
	switch {
	case width < 20:
		return fit(figures+" "+name, width)
	case width < barFrom:
		return column(name, width-5) + " " + figures
	}
	rest := width - barWidth - len(figures) - 4
	nameWidth := min(40, rest/2)
	return column(name, nameWidth) + " [" + drawn(percent, 100, true) + "] " + figures + " " +
		fit(printable(step), width-nameWidth-barWidth-len(figures)-5)
}

// drawn is a bar of what is done. While it isn't known how much there is, it
// never looks finished.
func drawn(done, of int, known bool) string {
	filled := barWidth
	if of > 0 {
		filled = barWidth * min(done, of) / of
	}
	if !known {
		filled = min(filled, barWidth-1)
	}
	return strings.Repeat("#", filled) + strings.Repeat(".", barWidth-filled)
}

// column pads or shortens a name to exactly width columns. Of a long path the
// end tells more than the beginning.
func column(name string, width int) string {
	if runewidth.StringWidth(name) > width {
		const dots = "..."
		name = dots + runewidth.TruncateLeft(name, runewidth.StringWidth(name)-width+len(dots), "")
	}
	return runewidth.FillRight(runewidth.Truncate(name, width, ""), width)
}

func fit(line string, width int) string { return runewidth.Truncate(line, max(0, width), "") }

// terminalWidth is how many columns a terminal has; 0 when w is none.
func terminalWidth(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	return int(size.Col)
}
