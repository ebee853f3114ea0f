package extract

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
)

func TestPoolReplacesChildren(t *testing.T) {
	t.Parallel()
	p := testPool(t, func(o *PoolOptions) { o.RecycleAfter = 3 })
	pids := make(map[string]int)
	for range 6 {
		doc, err := extractText(t, p, "!pid")
		if err != nil {
			t.Fatal(err)
		}
		pids[doc.Blocks[0].Text]++
	}
	if len(pids) != 2 {
		t.Errorf("six documents, three per child, by %v", pids)
	}
	p.rss = func(int) (int64, bool) { return p.o.MemoryLimit/2 + 1, true }
	stillWorks(t, p)
	if s := p.Stats(); s.Children != 0 {
		t.Errorf("a child over the memory mark was kept: %+v", s)
	}
}

func TestPoolReplacesAChildThatDiedIdle(t *testing.T) {
	t.Parallel()
	p := testPool(t)
	doc, err := extractText(t, p, "!pid")
	if err != nil {
		t.Fatal(err)
	}
	pid, _ := strconv.Atoi(doc.Blocks[0].Text)
	process, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Kill(); err != nil {
		t.Fatal(err)
	}
	stillWorks(t, p)
}

func TestChildKeepsNothingOfADocument(t *testing.T) {
	t.Parallel()
	p := testPool(t)
	counts := make(map[int]int)
	for range 20 {
		doc, err := extractText(t, p, "!pid")
		if err != nil {
			t.Fatal(err)
		}
		entries, err := os.ReadDir("/proc/" + doc.Blocks[0].Text + "/fd")
		if err != nil {
			t.Skipf("the descriptors of a child can't be listed on this system: %v", err)
		}
		counts[len(entries)]++
	}
	if len(counts) > 2 { // the last document may be about to be closed
		t.Errorf("open descriptors over 20 documents: %v", counts)
	}
}

func TestPoolSaysWhyNoChildStarts(t *testing.T) {
	t.Parallel()
	missing := testPool(t, func(o *PoolOptions) { o.Executable = "/does/not/exist" })
	wrong := testPool(t, func(o *PoolOptions) { o.Args = []string{"-no-such-flag"}; o.Env = nil })
	for _, p := range []*Pool{missing, wrong} {
		_, err := extractText(t, p, "!text x")
		var coded *Error
		if err == nil || errors.As(err, &coded) || !strings.Contains(err.Error(), "starting") {
			t.Errorf("error %v", err)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestCloseEndsEverything(t *testing.T) {
	t.Parallel()
	p := testPool(t, func(o *PoolOptions) { o.Size = 2 })
	stillWorks(t, p)
	working, ended := make(chan struct{}), make(chan error, 1)
	var once sync.Once
	go func() {
		_, err := p.Extract(t.Context(), Request{File: testFile(t, "!page 3\n!hang")}, func(Progress) { once.Do(func() { close(working) }) })
		ended <- err
	}()
	<-working
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, ErrClosed) {
		t.Errorf("the document in work: %v", err)
	}
	if s := p.Stats(); s.Children != 0 || s.RSS != 0 {
		t.Errorf("after Close: %+v", s)
	}
	if _, err := extractText(t, p, "!text x"); !errors.Is(err, ErrClosed) {
		t.Errorf("Extract after Close: %v", err)
	}
	if err := p.Warm(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("Warm after Close: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Errorf("the second Close: %v", err)
	}
}

func TestChildInheritsNothing(t *testing.T) {
	t.Setenv("EXTRACT_TEST_SECRET", "s3cr3t")
	p := testPool(t)
	doc, err := extractText(t, p, "!environment")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(doc.Blocks[0].Text, "s3cr3t") {
		t.Errorf("the child's environment: %s", doc.Blocks[0].Text)
	}
}

func TestMemoryOfChildrenIsCounted(t *testing.T) {
	t.Parallel()
	p := testPool(t)
	p.rss = func(int) (int64, bool) { return 7 << 20, true }
	stillWorks(t, p)
	if s := p.Stats(); s != (Stats{Children: 1, Busy: 0, RSS: 7 << 20}) {
		t.Errorf("stats %+v", s)
	}
}

func TestNegativeLimitsAreRefused(t *testing.T) {
	t.Parallel()
	for _, o := range []PoolOptions{{Size: -1}, {Timeout: -1}, {MemoryLimit: -1}, {MaxOutput: -1}} {
		if p, err := NewPool(o); err == nil {
			p.Close()
			t.Errorf("%+v was accepted", o)
		}
	}
}
