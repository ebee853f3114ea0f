package extract

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/cage"
	"github.com/docsvc/docsvc/pkg/extract/pdf/pdftest"
)

// attempts is what a parser that has been taken over would try, with what has
// to keep it from that. dir is a directory that exists.
func attempts(dir string) []attempt {
	return []attempt{
		{"read a file", cage.Landlock, func() error { _, err := os.ReadFile("/etc/passwd"); return err }},
		{"read its own program", "", func() error { _, err := os.ReadFile("/proc/self/exe"); return err }},
		{"read another process's environment", cage.Landlock, func() error {
			_, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", os.Getppid()))
			return err
		}},
		{"list a directory", cage.Landlock, func() error { _, err := os.ReadDir(dir); return err }},
		{"write a file", cage.Landlock, func() error { return os.WriteFile(filepath.Join(dir, "planted"), []byte("x"), 0o600) }},
		{"make a directory", cage.Landlock, func() error { return os.Mkdir(filepath.Join(dir, "planted"), 0o700) }},
		{"make a link", cage.Seccomp, func() error { return os.Symlink("/etc", filepath.Join(dir, "link")) }},
		{"change a mode", cage.Seccomp, func() error { return os.Chmod(dir, 0o777) }},
		{"connect by TCP", cage.Seccomp, func() error { _, err := net.Dial("tcp", "127.0.0.1:9"); return err }},
		{"listen", cage.Seccomp, func() error { _, err := net.Listen("tcp", "127.0.0.1:0"); return err }},
		{"send by UDP", cage.Seccomp, func() error { _, err := net.Dial("udp", "127.0.0.1:9"); return err }},
		{"make a unix socket", cage.Seccomp, func() error { return errOf(unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)) }},
		{"run a program", cage.Seccomp, func() error { return exec.Command("/bin/true").Run() }},
		{"fork", cage.Seccomp, func() error {
			pid, _, errno := unix.RawSyscall(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0)
			if errno == 0 && pid == 0 {
				unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
			}
			return errnoOf(errno)
		}},
		{"trace its parent", cage.Seccomp, func() error { return unix.PtraceAttach(os.Getppid()) }},
		{"read its parent's memory", cage.Seccomp, func() error {
			b := make([]byte, 8)
			local, remote := unix.Iovec{Base: &b[0]}, unix.RemoteIovec{Base: 0x400000, Len: 8}
			local.SetLen(8)
			return errOf(unix.ProcessVMReadv(os.Getppid(), []unix.Iovec{local}, []unix.RemoteIovec{remote}, 0))
		}},
		{"signal its parent", cage.Seccomp, func() error { return unix.Kill(os.Getppid(), 0) }},
		{"signal its group", cage.Seccomp, func() error { return unix.Kill(0, 0) }},
		{"mount", cage.Seccomp, func() error { return unix.Mount("none", dir, "tmpfs", 0, "") }},
		{"make a namespace", cage.Seccomp, func() error { return unix.Unshare(unix.CLONE_NEWUSER) }},
		{"load eBPF", cage.Seccomp, func() error { return errnoOf(syscallErrno(unix.SYS_BPF)) }},
		{"use io_uring", cage.Seccomp, func() error { return errnoOf(syscallErrno(unix.SYS_IO_URING_SETUP)) }},
		{"use performance events", cage.Seccomp, func() error { return errnoOf(syscallErrno(unix.SYS_PERF_EVENT_OPEN)) }},
		{"lift its limits", cage.Seccomp, func() error { return unix.Setrlimit(unix.RLIMIT_DATA, &unix.Rlimit{Cur: 1 << 40, Max: 1 << 40}) }},
		{"open many files", cage.Limits, func() error {
			for range 200 {
				if _, err := unix.Open(os.DevNull, unix.O_RDONLY, 0); err != nil {
					return err
				}
			}
			return nil
		}},
	}
}

type attempt struct {
	what string
	by   string // the protection that refuses it, "" when nothing has to
	do   func() error
}

func errOf(_ int, err error) error { return err }

func errnoOf(e unix.Errno) error {
	if e != 0 {
		return e
	}
	return nil
}

func syscallErrno(number uintptr) unix.Errno {
	_, _, e := unix.Syscall(number, 0, 0, 0)
	return e
}

// probe is run by a child; a line per attempt that was refused.
func probe(dir string, sink block.Sink) error {
	for _, a := range attempts(dir) {
		err := a.do()
		refused := errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.EMFILE) || err != nil && strings.Contains(err.Error(), "not permitted")
		if err := sink.Block(block.Block{Kind: block.Paragraph, Text: fmt.Sprintf("%s|%v|%v", a.what, refused, err)}); err != nil {
			return err
		}
	}
	return nil
}

func TestAChildCanDoNothingButRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := testPool(t, func(o *PoolOptions) { o.CacheDir = pdftest.CacheDir(t) })
	report, err := p.Cage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	doc, err := extractText(t, p, "!probe "+dir)
	if err != nil {
		t.Fatal(err)
	}
	refused := make(map[string]string)
	for _, b := range doc.Blocks {
		what, rest, _ := strings.Cut(b.Text, "|")
		refused[what] = rest
	}
	for _, a := range attempts(dir) {
		switch answer, ok := refused[a.what]; {
		case !ok:
			t.Errorf("%s: the child didn't try", a.what)
		case a.by == "":
		case !report.InForce(a.by):
			t.Logf("%s: not tested, %s is not in force: %+v", a.what, a.by, report)
		case !strings.HasPrefix(answer, "true|"):
			t.Errorf("a child can %s: %s", a.what, answer)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 && report.InForce(cage.Landlock) {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if !report.InForce(cage.NoNewPrivs) || !report.InForce(cage.Limits) {
		t.Errorf("report %+v", report)
	}
	t.Logf("in force: %+v", report)
}

// In the cage everything still works, with PDFium and after a compilation.
func TestADocumentIsReadInTheCage(t *testing.T) {
	t.Parallel()
	p := testPool(t, func(o *PoolOptions) { o.CacheDir = pdftest.CacheDir(t) })
	raw := string(pdftest.Simple([]string{"in the cage"}))
	for range 2 {
		doc, err := extractText(t, p, raw)
		if err != nil || len(doc.Blocks) != 1 || doc.Blocks[0].Text != "in the cage" {
			t.Fatalf("document %+v, error %v", doc, err)
		}
	}
	if s := p.Stats(); s.Children != 1 {
		t.Errorf("children %+v", s)
	}
}
