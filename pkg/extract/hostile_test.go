package extract

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/rs/zerolog"
)

func TestParentTrustsNoFrame(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ frame, code string }{
		"unknown type":           {`"\x00\x00\x00\x00?"`, block.CodeCrash},
		"from the wrong side":    {`"\x00\x00\x00\x04Jnull"`, block.CodeCrash},
		"announces 4 GiB":        {`"\xff\xff\xff\xffB"`, block.CodeCrash},
		"not JSON":               {`"\x00\x00\x00\x03Babc"`, block.CodeCrash},
		"JSON of the wrong type": {`"\x00\x00\x00\x04B3.14"`, block.CodeCrash},
		"empty payload":          {`"\x00\x00\x00\x00W"`, block.CodeCrash},
		"accepted twice":         {`"\x00\x00\x00\x04anull"`, block.CodeCrash},
		"loading twice":          {`"\x00\x00\x00\x04Ktrue\x00\x00\x00\x04Ktrue"`, block.CodeCrash},
		"ready in between":       {`"\x00\x00\x00\x04Rnull"`, block.CodeCrash},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := testPool(t)
			_, err := extractText(t, p, "!raw "+c.frame+"\n!hang")
			wantCode(t, err, c.code)
			stillWorks(t, p)
		})
	}
}

// A child that goes on sending after the end of a document would have that
// taken for the beginning of the next one.
func TestFramesAfterTheEndAreRefused(t *testing.T) {
	t.Parallel()
	p := testPool(t)
	doc, err := extractText(t, p, `!raw "\x00\x00\x00\x04Dnull\x00\x00\x00\x08W\"poison\""`)
	if err != nil || len(doc.Warnings) != 0 {
		t.Fatalf("document %+v, error %v", doc, err)
	}
	doc, err = extractText(t, p, "!text next")
	if err == nil && len(doc.Warnings) != 0 {
		t.Fatalf("the next document got %q", doc.Warnings)
	}
	if err != nil {
		wantCode(t, err, block.CodeCrash)
	}
	stillWorks(t, p)
}

func TestStderrOfAChildReachesTheDebugLogWithinBounds(t *testing.T) {
	t.Parallel()
	var log lockedBuffer
	p := testPool(t, func(o *PoolOptions) { o.Log = zerolog.New(&log) })
	if _, err := extractText(t, p, "!stderr wasm says hello"); err != nil {
		t.Fatal(err)
	}
	_, err := p.Extract(t.Context(), Request{File: testFile(t, "!password\n!panic loudly"), Password: "open-sesame"}, nil)
	wantCode(t, err, block.CodeCrash)
	p.Close()
	lines := log.String()
	if n := strings.Count(lines, "wasm says hello"); n == 0 || n > stderrLogged/len("wasm says hello\n")+1 {
		t.Errorf("%d of 10000 lines were logged", n)
	}
	if !strings.Contains(lines, "panic: loudly") {
		t.Error("the panic is not in the log")
	}
	if strings.Contains(lines, "open-sesame") {
		t.Error("the password is in the log")
	}
	for _, line := range strings.Split(strings.TrimSpace(lines), "\n") {
		if !strings.Contains(line, `"level":"debug"`) {
			t.Errorf("not at debug level: %s", line)
		}
	}
}

func TestThePasswordReachesTheParser(t *testing.T) {
	t.Parallel()
	p := testPool(t)
	doc, err := p.Extract(t.Context(), Request{File: testFile(t, "!password"), Password: "päss wörd"}, nil)
	if err != nil || doc.Blocks[0].Text != "päss wörd" {
		t.Fatalf("document %+v, error %v", doc, err)
	}
}

func TestTextIsCleanedAndIncompleteTextIsPartial(t *testing.T) {
	t.Parallel()
	c := &collector{max: 1 << 20, maxPages: 1}
	frames := []struct {
		t frameType
		v any
	}{
		{frameAccepted, nil},
		{frameBlocks, []Block{{Kind: block.Table, Rows: [][]string{{"a\x00b", "c\r\nd"}}}, {Kind: block.Paragraph, Text: "e\ufffef\rg"}}},
		{frameWarning, block.TextIncomplete + "a font has\nno map"},
	}
	for _, f := range frames {
		b, err := appendFrame(nil, f.t, f.v)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.take(f.t, b[headerSize:], nil); err != nil {
			t.Fatal(err)
		}
	}
	doc := c.document()
	if got := doc.Blocks[0].Rows[0]; got[0] != "ab" || got[1] != "c\nd" || doc.Blocks[1].Text != "ef\ng" {
		t.Errorf("blocks %+v", doc.Blocks)
	}
	if !doc.Partial || doc.Warnings[0] != "text_incomplete: a font has no map" {
		t.Errorf("partial %v, warnings %q", doc.Partial, doc.Warnings)
	}
}

func TestManyNotesAreCountedNotKept(t *testing.T) {
	t.Parallel()
	c := &collector{max: 1 << 20, maxPages: 2, accepted: true}
	for i := range 3 * maxWarnings {
		c.warn(strings.Repeat("w", i))
	}
	if doc := c.document(); len(doc.Warnings) != maxWarnings+1 {
		t.Errorf("%d warnings", len(doc.Warnings))
	}
	payload := []byte(`{"page":1,"message":"m"}`)
	var err error
	for range 3 {
		_, err = c.take(framePageError, payload, nil)
	}
	if !errors.Is(err, errFrame) {
		t.Errorf("three page errors of two pages: %v", err)
	}
}

// A parent that is killed takes its children with it, whatever they are doing.
func TestChildrenEndWithTheirParent(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/task"); err != nil {
		t.Skip("children can't be listed on this system")
	}
	document := testFile(t, "!page 3\n!spin")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	parent := exec.Command(exe, "-test.run=^$")
	parent.Env = append(os.Environ(), parentVariable+"="+document.Name())
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid := strings.Trim(strings.TrimSpace(line), "[]")
	if pid == "" || strings.Contains(pid, " ") {
		t.Fatalf("children of the parent: %q", line)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	for deadline := time.Now().Add(time.Minute); !gone(pid); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("process %s outlives its parent", pid)
		}
	}
}

// gone reports whether a process has ended, reaped or not.
func gone(pid string) bool {
	b, err := os.ReadFile("/proc/" + pid + "/stat")
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return true
	}
	_, state, _ := bytes.Cut(b, []byte(") "))
	return bytes.HasPrefix(state, []byte("Z"))
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
