package extract

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/cage"
	"github.com/docsvc/docsvc/pkg/extract/detect"
	"github.com/docsvc/docsvc/pkg/extract/pdf"
	"github.com/docsvc/docsvc/pkg/extract/pdf/code"
)

// Exit codes of a child beside 0 (the parent closed the channel) and Go's 2.
const (
	exitChannel = 70 // the channel is unusable
	exitMemory  = 71 // it found itself over its memory limit
)

// childFD is the descriptor that the parent passes the channel as: the first
// of exec.Cmd.ExtraFiles.
const childFD = 3

// RunChild is the body of the child process: it serves documents that the
// parent sends over descriptor 3 until that is closed, and returns the exit
// code. Started to become another program (package cage), it does that. Nothing
// else may use the process.
func RunChild(ctx context.Context) int {
	if cage.Become() {
		return exitChannel
	}
	return runChild(ctx, registry(), Detect)
}

// detectFunc is Detect, or what a test puts in its place.
type detectFunc func(r io.ReaderAt, size int64, name, declared string) (detect.Result, error)

func runChild(ctx context.Context, formats []format, detect detectFunc) int {
	s, err := newChildServer(formats, detect)
	if err == nil {
		err = s.serve(ctx)
		s.conn.Close()
	}
	if err != nil && !errors.Is(err, io.EOF) {
		fmt.Fprintln(os.Stderr, "extract:", err)
		return exitChannel
	}
	return 0
}

// childServer is the child's side of the channel.
type childServer struct {
	conn    *net.UnixConn
	formats []format
	detect  detectFunc
	out     *frameWriter
	setup   setupMessage
	started map[string]bool // formats whose parser is ready
	mail    mail            // for the document in work
	loading atomic.Bool     // the memory limit is suspended
}

func newChildServer(formats []format, detect detectFunc) (*childServer, error) {
	file := os.NewFile(childFD, "channel")
	conn, err := net.FileConn(file)
	file.Close()
	if err != nil {
		return nil, fmt.Errorf("this command is started by docsvc itself, with a socket as descriptor %d: %w", childFD, err)
	}
	channel, ok := conn.(*net.UnixConn)
	if !ok {
		conn.Close()
		return nil, fmt.Errorf("descriptor %d is not a unix socket", childFD)
	}
	return &childServer{conn: channel, formats: formats, detect: detect, out: &frameWriter{w: channel}}, nil
}

// request is one frame from the parent with the descriptor that came along.
type request struct {
	t       frameType
	payload []byte
	file    *os.File // of a job
}

// serve handles requests one after the other. Reading goes on meanwhile, so
// that a parent that went away ends the process even in the middle of a parse.
func (s *childServer) serve(ctx context.Context) error {
	requests := make(chan request)
	failed := make(chan error, 2)
	go func() {
		for {
			r, err := s.receive()
			if err != nil {
				failed <- err
				return
			}
			if taken, err := s.mail.takes(r); err != nil {
				failed <- err
				return
			} else if taken {
				continue
			}
			requests <- r
		}
	}()
	go func() {
		for r := range requests {
			if err := s.handle(ctx, r); err != nil {
				failed <- err
				return
			}
		}
	}()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return nil
	}
}

// receive reads one frame and the descriptor that may come with its header.
func (s *childServer) receive() (request, error) {
	var header [headerSize]byte
	oob := make([]byte, syscall.CmsgSpace(4))
	n, oobn, _, _, err := s.conn.ReadMsgUnix(header[:], oob)
	if err == nil && n == 0 {
		err = io.EOF
	}
	if err != nil {
		return request{}, err
	}
	var r request
	if oobn > 0 {
		if r.file, err = receivedFile(oob[:oobn]); err != nil {
			return r, err
		}
	}
	if _, err := io.ReadFull(s.conn, header[n:]); err != nil {
		return r, err
	}
	r.t, r.payload, err = readPayload(s.conn, header, nil)
	return r, err
}

func receivedFile(oob []byte) (*os.File, error) {
	messages, err := syscall.ParseSocketControlMessage(oob)
	if err != nil || len(messages) == 0 {
		return nil, fmt.Errorf("%w: no descriptor: %w", errFrame, err)
	}
	fds, err := syscall.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return nil, fmt.Errorf("%w: %d descriptors: %w", errFrame, len(fds), err)
	}
	return os.NewFile(uintptr(fds[0]), "document"), nil
}

func (s *childServer) handle(ctx context.Context, r request) error {
	if r.file != nil {
		defer r.file.Close()
	}
	switch r.t {
	case frameSetup:
		if err := decode(r.t, r.payload, &s.setup); err != nil {
			return err
		}
		s.limitMemory()
		return s.out.send(frameReady, cage.Enter(s.setup.Compiling))
	case frameMake:
		var again bool
		if err := decode(r.t, r.payload, &again); err != nil {
			return err
		}
		if err := s.out.send(frameAccepted, nil); err != nil {
			return err
		}
		return s.end(s.compile(again))
	case frameWarm:
		if err := s.out.send(frameAccepted, nil); err != nil {
			return err
		}
		return s.end(s.warm(ctx))
	case framePaint:
		return s.handlePaint(ctx, r)
	case frameUnpack:
		return s.handleUnpack(ctx, r)
	case frameJob:
		var job jobMessage
		if err := decode(r.t, r.payload, &job); err != nil {
			return err
		}
		if r.file == nil {
			return fmt.Errorf("%w: a job without a descriptor", errFrame)
		}
		s.mail.begin() // mail may come as soon as the parent knows
		defer s.mail.end()
		if err := s.out.send(frameAccepted, nil); err != nil {
			return err
		}
		err := s.parse(ctx, job, r.file)
		returnMemory()
		return s.end(err)
	default:
		return fmt.Errorf("%w: type %q", errFrame, r.t)
	}
}

// end sends the last frame of a job.
func (s *childServer) end(err error) error {
	if err == nil {
		return s.out.send(frameDone, nil)
	}
	var coded *block.Error
	switch {
	case errors.As(err, &coded):
	case errors.Is(err, code.ErrNotCompiled):
		coded = &block.Error{Code: codeNotCompiled, Message: err.Error()}
	default:
		coded = &block.Error{Message: err.Error()}
	}
	return s.out.send(frameError, coded)
}

func (s *childServer) parse(ctx context.Context, job jobMessage, f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("reading the document: %w", err)
	}
	found, err := s.detect(f, info.Size(), job.Name, job.DeclaredType)
	if err != nil {
		return err
	}
	for _, format := range s.formats {
		if format.name != found.Format {
			continue
		}
		message := formatMessage{Format: found.Format, MIME: found.MIME, Version: format.version, Warnings: found.Warnings}
		if err := s.out.send(frameFormat, message); err != nil {
			return err
		}
		if err := s.start(ctx, format); err != nil {
			return err
		}
		o := s.options()
		o.Password, o.Charset = job.Password, found.Charset
		o.MaxExpanded, o.MaxNesting, o.MaxRatio = job.MaxExpanded, job.MaxNesting, job.MaxRatio
		o.MaxPages, o.MaxParts, o.MaxPixels, o.Pages = job.MaxPages, job.MaxParts, job.MaxPixels, job.Pages
		sink := frameSink{out: s.out, max: job.MaxOutput, most: mostText(info.Size(), job.MaxRatio), mail: &s.mail}
		if job.Assist {
			return format.parse(ctx, f, info.Size(), o, &orderSink{sink})
		}
		if err := format.parse(ctx, f, info.Size(), o, &sink); err != nil {
			return err
		}
		return sink.flush()
	}
	return block.Errorf(block.CodeUnsupported, "Documents of the type %s are not read by this version of docsvc.", found.MIME)
}

func (s *childServer) options() block.Options {
	return block.Options{CacheDir: s.setup.CacheDir, CodeStamp: s.setup.CodeStamp, MemoryLimit: s.setup.MemoryLimit}
}

// warm makes every format ready for its first document.
func (s *childServer) warm(ctx context.Context) error {
	for _, f := range s.formats {
		if err := s.start(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

// start makes a parser ready if it has not been. That is no stranger's file's
// doing, so the memory limit is suspended; and it is reported all the while,
// for it may take longer than the parent waits in silence.
func (s *childServer) start(ctx context.Context, f format) error {
	if f.warm == nil || s.started[f.name] {
		return nil
	}
	if err := s.load(func() error { return f.warm(ctx, s.options()) }); err != nil {
		return fmt.Errorf("preparing to read %s: %w", f.name, err)
	}
	if s.started == nil {
		s.started = make(map[string]bool)
	}
	s.started[f.name] = true
	return nil
}

// compile makes what is compiled once.
func (s *childServer) compile(again bool) error {
	return s.load(func() error {
		_, err := pdf.Compile(s.setup.CacheDir, again)
		return err
	})
}

// load runs what may take more memory and time than a document.
func (s *childServer) load(f func() error) error {
	if err := s.out.send(frameStarting, true); err != nil {
		return err
	}
	s.loading.Store(true)
	debug.SetMemoryLimit(math.MaxInt64)
	stop := s.out.tick(time.Second, progressMessage{Stage: "starting"})
	err := f()
	stop()
	returnMemory()
	s.softenMemory()
	s.loading.Store(false)
	return errors.Join(err, s.out.send(frameStarting, false))
}

// softenMemory makes the garbage collector work harder well before the limit.
func (s *childServer) softenMemory() {
	if s.setup.MemoryLimit > 0 {
		debug.SetMemoryLimit(s.setup.MemoryLimit / 4 * 3)
	}
}

// limitMemory ends the process when the limit is passed. The parent looks at
// resident memory where the system lets it; this works everywhere, but not
// while the garbage collector is held up.
func (s *childServer) limitMemory() {
	limit := s.setup.MemoryLimit
	if limit <= 0 {
		return
	}
	s.softenMemory()
	debug.SetGCPercent(400)                       // the heap is small against the limit, which still holds
	debug.SetMaxStack(int(min(limit/4, 256<<20))) // endless recursion is a crash, not a want of memory
	go func() {
		sample := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
		for range time.Tick(50 * time.Millisecond) {
			metrics.Read(sample)
			if used := sample[0].Value.Uint64() - sample[1].Value.Uint64(); used > uint64(limit) && !s.loading.Load() {
				fmt.Fprintf(os.Stderr, "extract: %d MiB of memory in use, limit %d MiB\n", used>>20, limit>>20)
				os.Exit(exitMemory)
			}
		}
	}()
}

// returnMemory gives what a large document left behind back to the system, so
// that an idle child is small. It costs some milliseconds and is left out after small ones.
func returnMemory() {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if m.HeapSys-m.HeapReleased > 64<<20 {
		debug.FreeOSMemory()
	}
}

// newChannelReader buffers what the parent reads from a child.
func newChannelReader(conn net.Conn) *bufio.Reader { return bufio.NewReaderSize(conn, 64<<10) }
