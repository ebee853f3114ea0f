package block

// progressStep is how many bytes of a file count as one of its parts in
// progress reports.
const progressStep = 1 << 20

// Progress reports how far a file without pages is read, in parts of 1 MiB.
type Progress struct {
	sink  Sink
	done  int
	total int
}

// NewProgress is for a file of size bytes.
func NewProgress(sink Sink, size int64) *Progress {
	return &Progress{sink: sink, total: max(1, int((size+progressStep-1)/progressStep))}
}

// At reports that the first offset bytes are read; it tells the sink when
// another part is finished, all but the last.
func (p *Progress) At(offset int64) error {
	n := min(int(offset/progressStep), p.total-1)
	if n <= p.done {
		return nil
	}
	p.done = n
	return p.sink.PageDone(n, p.total)
}

// Finish reports that all of the file is read.
func (p *Progress) Finish() error { return p.sink.PageDone(p.total, p.total) }
