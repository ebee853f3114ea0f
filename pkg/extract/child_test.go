package extract

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/cage"
	"github.com/docsvc/docsvc/pkg/extract/detect"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// The test binary is its own child. Beside the real formats, the child of a
// test knows documents that begin with "!" and a word: what the parser is to do.
const (
	childVariable  = "EXTRACT_TEST_CHILD"
	parentVariable = "EXTRACT_TEST_PARENT"
)

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		cage.Become()
		os.Exit(runTestChild())
	}
	if path := os.Getenv(parentVariable); path != "" {
		os.Exit(runTestParent(path))
	}
	// The same random values every time, unless flags say otherwise.
	for name, value := range map[string]string{"rapid.seed": "5", "rapid.nofailfile": "true"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	before := openSockets()
	code := m.Run()
	if code == 0 {
		code = leaks(before)
	}
	os.Exit(code)
}

// leaks fails the package when a test left anything behind.
func leaks(socketsBefore int) int {
	if err := goleak.Find(); err != nil {
		fmt.Println("goroutines left:", err)
		return 1
	}
	if children := childProcesses(os.Getpid()); len(children) > 0 {
		fmt.Println("processes left:", children)
		return 1
	}
	if after := openSockets(); after > socketsBefore {
		fmt.Printf("%d sockets left\n", after-socketsBefore)
		return 1
	}
	return 0
}

// openSockets counts this process's sockets, 0 where that can't be told.
func openSockets() int {
	entries, _ := os.ReadDir("/proc/self/fd")
	n := 0
	for _, e := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.HasPrefix(target, "socket:") {
			n++
		}
	}
	return n
}

// childProcesses lists a process's children that have not been reaped.
func childProcesses(pid int) []string {
	tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	var all []string
	for _, task := range tasks {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, task.Name()))
		all = append(all, strings.Fields(string(b))...)
	}
	return all
}

func runTestChild() int {
	script := &testFormats{}
	formats := registry()
	formats[0].parse = inHelp(formats[0].parse)
	formats = append(formats, format{name: "test", version: "1", parse: script.parse})
	if os.Getenv(childVariable) == "heavy" {
		formats = append(formats, format{name: "heavy", version: "1", parse: script.parse, warm: heavyStart})
	}
	server, err := newChildServer(formats, detectTest)
	if err != nil {
		return exitChannel
	}
	script.raw = server.out.w
	if err := server.serve(context.Background()); err != nil && !errors.Is(err, io.EOF) {
		fmt.Fprintln(os.Stderr, err)
		return exitChannel
	}
	return 0
}

func detectTest(r io.ReaderAt, size int64, name, declared string) (detect.Result, error) {
	first := make([]byte, 1)
	_, _ = r.ReadAt(first, 0)
	switch first[0] {
	case '!':
		return detect.Result{Format: "test", MIME: "application/x-test"}, nil
	case '?':
		return detect.Result{Format: "heavy", MIME: "application/x-heavy"}, nil
	}
	return Detect(r, size, name, declared)
}

// heavyStart takes more memory for a moment than a document may. It is not
// the heap's, of which the race detector keeps some after it is gone.
func heavyStart(context.Context, block.Options) error {
	b, err := unix.Mmap(-1, 0, 300<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return err
	}
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
	time.Sleep(4 * memoryPoll) // long enough to be seen
	return unix.Munmap(b)
}

// testFormats does what a document's lines say.
type testFormats struct {
	raw  io.Writer // the channel
	held [][]byte
}

func (s *testFormats) parse(ctx context.Context, f *os.File, size int64, o block.Options, sink block.Sink) error {
	lines := bufio.NewScanner(io.NewSectionReader(f, 0, size))
	for lines.Scan() {
		word, rest, _ := strings.Cut(strings.TrimLeft(lines.Text(), "!?"), " ")
		if err := s.do(ctx, word, rest, o, sink); err != nil {
			return err
		}
	}
	return lines.Err()
}

func (s *testFormats) do(ctx context.Context, word, rest string, o block.Options, sink block.Sink) error {
	switch word {
	case "text":
		return sink.Block(block.Block{Kind: block.Paragraph, Text: rest})
	case "long": // bytes of text in one block
		n, _ := strconv.Atoi(rest)
		return sink.Block(block.Block{Kind: block.Paragraph, Text: strings.Repeat("é", n/2)})
	case "table": // rows
		n, _ := strconv.Atoi(rest)
		t := block.Block{Kind: block.Table, HeaderRow: true}
		for i := range n {
			t.Rows = append(t.Rows, []string{strconv.Itoa(i), strings.Repeat("x", 1000)})
		}
		return sink.Block(t)
	case "footnote":
		return sink.Aside(block.Block{Kind: block.Footnote, Text: rest})
	case "title":
		return sink.Meta(block.Metadata{Title: rest, Pages: 3})
	case "page":
		n, _ := strconv.Atoi(rest)
		return sink.PageDone(n, 3)
	case "warn":
		return sink.Warn(rest)
	case "bad-page":
		return sink.PageError(2, rest)
	case "password":
		return sink.Block(block.Block{Kind: block.Paragraph, Text: o.Password})
	case "paged":
		return s.paged(ctx, rest, o, sink)
	case "endless":
		return endless(ctx, sink)
	case "probe":
		return probe(rest, sink)
	case "pid":
		return sink.Block(block.Block{Kind: block.Paragraph, Text: strconv.Itoa(os.Getpid())})
	case "environment":
		return sink.Block(block.Block{Kind: block.Paragraph, Text: strings.Join(os.Environ(), "\n")})
	case "coded":
		return block.Errorf(block.CodeEncrypted, "%s", rest)
	case "fail":
		return errors.New(rest)
	default:
		return s.misbehave(word, rest, sink)
	}
}

// misbehave is what no parser should do.
func (s *testFormats) misbehave(word, rest string, sink block.Sink) error {
	switch word {
	case "exit":
		code, _ := strconv.Atoi(rest)
		os.Exit(code)
	case "pause": // for long enough to be killed meanwhile
		time.Sleep(500 * time.Millisecond)
	case "panic":
		panic(rest)
	case "overflow":
		return overflow(1)
	case "hang":
		signal.Ignore() // whatever can be ignored
		select {}
	case "spin":
		for n := 1; n != 0; n++ {
		}
	case "busy": // reports progress for ever
		for n := 1; ; n++ {
			if err := sink.PageDone(n, 1); err != nil {
				return err
			}
			time.Sleep(time.Millisecond)
		}
	case "allocate":
		for {
			s.held = append(s.held, bytes.Repeat([]byte{1}, 4<<20))
			time.Sleep(time.Millisecond)
		}
	case "huge":
		s.held = append(s.held, make([]byte, 3<<30))
	case "stderr":
		for range 10000 {
			fmt.Fprintln(os.Stderr, rest)
		}
	case "raw": // a Go string literal, to the channel as it is
		b, err := strconv.Unquote(rest)
		if err != nil {
			return err
		}
		_, err = s.raw.Write([]byte(b))
		return err
	}
	return nil
}

func overflow(n int) error {
	if n < 0 {
		return nil
	}
	if err := overflow(n + 1); err != nil {
		return fmt.Errorf("%d: %w", n, err)
	}
	return nil
}
