package rq_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
)

// peer is a Python process that uses RQ on a test's Redis; see
// testdata/peer.py.
type peer struct {
	owner  *testing.T // at whose end it is stopped
	t      *testing.T // who uses it now
	stdin  io.WriteCloser
	lines  chan []byte
	stderr *bytes.Buffer
	old    bool // of a version that has not everything: what it refuses is skipped
}

// request is what a peer is asked: "op" and its parameters.
type request map[string]any

func startPeer(t *testing.T, bin string, server *redistest.Server) *peer {
	t.Helper()
	cmd := exec.Command(bin, "testdata/peer.py", server.URL)
	// Nothing from outside may point RQ at another Redis.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "PYTHONPATH=testdata", "PYTHONDONTWRITEBYTECODE=1", "PYTHONUTF8=1", "TZ=UTC"}
	p := &peer{owner: t, t: t, lines: make(chan []byte), stderr: &bytes.Buffer{}}
	cmd.Stderr = p.stderr
	var err error
	if p.stdin, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(p.lines)
		for in := bufio.NewReader(stdout); ; {
			line, err := in.ReadBytes('\n')
			if err != nil {
				return
			}
			p.lines <- line
		}
	}()
	t.Cleanup(func() {
		_ = p.stdin.Close()
		go func() {
			for range p.lines { // answers nobody waited for
			}
		}()
		// A job that a failed test left at the gate ends with its connection.
		for _, force := range []func(){server.Kill, func() { _ = cmd.Process.Kill() }} {
			select {
			case <-read:
			case <-time.After(5 * time.Second):
				force()
			}
		}
		<-read
		_ = cmd.Wait()
	})
	return p
}

// send asks without waiting; receive must follow.
func (p *peer) send(r request) {
	p.t.Helper()
	b, err := json.Marshal(r)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.stdin.Write(append(b, '\n')); err != nil {
		p.t.Fatalf("python: %v\n%s", err, p.stderr)
	}
}

// receive reads the answer to the oldest request into out (nil: ignored). The
// error is an exception in Python.
func (p *peer) receive(out any) error {
	p.t.Helper()
	select {
	case line, ok := <-p.lines:
		if !ok {
			p.t.Fatalf("python ended:\n%s", p.stderr)
		}
		var a struct {
			OK    json.RawMessage
			Error string
		}
		if err := json.Unmarshal(line, &a); err != nil {
			p.t.Fatalf("%v: %s", err, line)
		}
		if a.Error != "" {
			return errors.New(a.Error)
		}
		if out != nil {
			if err := json.Unmarshal(a.OK, out); err != nil {
				p.t.Fatalf("%v: %s", err, line)
			}
		}
		return nil
	case <-time.After(60 * time.Second):
		p.t.Fatal("python gave no answer")
		return nil
	}
}

// ask sends and receives; an exception fails the test.
func (p *peer) ask(r request, out any) {
	p.t.Helper()
	if err := p.try(r, out); err != nil && p.old {
		p.t.Skipf("python %s: %v", r["op"], err)
	} else if err != nil {
		p.t.Fatalf("python %s: %v", r["op"], err)
	}
}

// try sends and receives.
func (p *peer) try(r request, out any) error {
	p.t.Helper()
	p.send(r)
	return p.receive(out)
}

// peerJob is what Python's Job says of itself.
type peerJob struct {
	Status, Func, Args, Kwargs, Description, Meta, Worker, Result, Exc string
	RetriesLeft                                                        *int   `json:"retries_left"`
	ResultType                                                         string `json:"result_type"`
	Results, Executions                                                int
	Position                                                           *int
	Ended                                                              bool
}

func (p *peer) job(id string) peerJob {
	p.t.Helper()
	var j peerJob
	p.ask(request{"op": "job", "id": id}, &j)
	return j
}

// lastLine is the last line of a traceback.
func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}

func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("waited in vain")
		}
	}
}
