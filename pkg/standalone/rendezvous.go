package standalone

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Rendezvous is what other docsvc commands need to know of a standalone
// server. It lies in .docsvc/standalone.json, mode 0600, in the directory
// where the server was started, while it runs.
type Rendezvous struct {
	PID       int       `json:"pid"`
	Process   string    `json:"process,omitempty"` // boot and start time of PID, where they can be known
	StartedAt time.Time `json:"started_at"`

	API        string `json:"api"`       // http://host:port
	RedisURL   string `json:"redis_url"` // with the password
	S3Endpoint string `json:"s3_endpoint"`
	Region     string `json:"region"`
	Bucket     string `json:"bucket"`
	AccessKey  string `json:"access_key"`
	SecretKey  string `json:"secret_key"`
	DataDir    string `json:"data_dir"`
}

// dialTimeout is enough for an address of this machine.
const dialTimeout = time.Second

// StaleError says that a standalone server was started in a directory and is
// no longer there.
type StaleError struct {
	Path   string // of the file it left
	Reason string
}

func (e *StaleError) Error() string {
	return fmt.Sprintf("%s is of a standalone server that is gone (%s); to go on with its data start it again: docsvc serve --standalone", e.Path, e.Reason)
}

// OccupiedError says that another standalone server that was started in the
// same directory is running.
type OccupiedError struct{ Other *Rendezvous }

func (e *OccupiedError) Error() string {
	return fmt.Sprintf("another standalone server (pid %d, data in %s) was started in this directory, and commands started here go to that one", e.Other.PID, e.Other.DataDir)
}

func rendezvousPath(dir string) string { return filepath.Join(dir, ".docsvc", "standalone.json") }

// WriteRendezvous writes down r for commands that are started in dir. PID,
// Process and StartedAt are filled in. A server can go on when it fails, for
// example in a read-only directory; commands then need their settings. remove
// takes the file away again, unless it is another server's by then.
func WriteRendezvous(dir string, r Rendezvous) (remove func(), err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	other, err := FindRendezvous(dir)
	if err == nil && other != nil && other.PID != os.Getpid() {
		return nil, &OccupiedError{other}
	}
	r.PID, r.Process = os.Getpid(), processStamp(os.Getpid())
	if r.StartedAt.IsZero() {
		r.StartedAt = time.Now()
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, err
	}
	path := rendezvousPath(dir)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("writing %s: %w", path, err)
	}
	if err := writeFile(path, append(text, '\n')); err != nil {
		return nil, err
	}
	return func() {
		if left, err := readRendezvous(path); err == nil && left.PID == r.PID && left.Process == r.Process {
			_ = os.Remove(path)
			_ = os.Remove(filepath.Dir(path)) // if nothing else is in it
		}
	}, nil
}

// FindRendezvous returns the standalone server that was started in dir and
// runs: nil and no error when there is none, nil and a *StaleError when there
// was one, another error when the file cannot be trusted.
func FindRendezvous(dir string) (*Rendezvous, error) {
	path := rendezvousPath(dir)
	r, err := readRendezvous(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if err := syscall.Kill(r.PID, 0); err != nil && !errors.Is(err, syscall.EPERM) {
		return nil, &StaleError{path, fmt.Sprintf("there is no process %d", r.PID)}
	}
	if r.Process != "" && r.Process != processStamp(r.PID) {
		return nil, &StaleError{path, fmt.Sprintf("process %d is another program by now", r.PID)}
	}
	if !r.answers() {
		return nil, &StaleError{path, "none of its addresses answers"}
	}
	return r, nil
}

// readRendezvous reads the file if it is this user's and nobody else could
// write it: it decides which Redis and which store commands talk to.
func readRendezvous(path string) (*Rendezvous, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(st.Uid) != os.Geteuid() || info.Mode().Perm()&0o022 != 0 {
		return nil, errors.New("it belongs to another user or others may write it; it is not used")
	}
	r := new(Rendezvous)
	if err := json.NewDecoder(f).Decode(r); err != nil {
		return nil, err
	}
	if r.PID <= 0 {
		return nil, errors.New("it names no process")
	}
	return r, nil
}

// answers reports whether anything listens on one of the addresses. One is
// enough: a Redis that is being restarted does not make the server gone.
func (r *Rendezvous) answers() bool {
	for _, address := range []string{r.API, r.RedisURL, r.S3Endpoint} {
		u, err := url.Parse(address)
		if err != nil || u.Host == "" {
			continue
		}
		conn, err := net.DialTimeout("tcp", u.Host, dialTimeout)
		if err == nil {
			_ = conn.Close()
			return true
		}
	}
	return false
}
