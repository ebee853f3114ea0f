package standalone

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// dataDir is a data directory that this process holds.
type dataDir struct {
	path   string // absolute
	lock   *os.File
	ports  ports
	engine string // recorded; empty for a new directory
}

// ports are those that the engines listen on; 0: not chosen yet.
type ports struct {
	Redis int `json:"redis"`
	S3    int `json:"s3"`
}

const (
	lockName     = "lock"
	passwordName = "redis-password"
)

// openDataDir creates or opens a data directory and locks it.
func openDataDir(path string) (*dataDir, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("finding the data directory %s: %w", path, err)
	}
	if err := os.MkdirAll(abs, 0o700); err != nil {
		return nil, unusable(abs, err)
	}
	if err := checkOurs(abs); err != nil {
		return nil, err
	}
	d := &dataDir{path: abs}
	if d.lock, err = lockFile(filepath.Join(abs, lockName)); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("the data directory %s is in use by another docsvc (%s): stop that one, or choose another directory with --data-dir", abs, d.holder())
		}
		return nil, unusable(abs, err)
	}
	if err := d.load(); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

func unusable(path string, err error) error {
	return fmt.Errorf("the data directory %s cannot be used: %w; choose another with --data-dir", path, err)
}

// checkOurs refuses a directory with other things in it: files below it would
// be taken for leftovers and removed. One with a lock only is of a start that
// did not get further.
func checkOurs(path string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return unusable(path, err)
	}
	for _, e := range entries {
		if e.Name() == passwordName {
			return nil
		}
	}
	if len(entries) == 0 || len(entries) == 1 && entries[0].Name() == lockName {
		return nil
	}
	return fmt.Errorf("the directory %s has other things in it and is not a docsvc data directory: choose an empty or new one with --data-dir", path)
}

// lockFile takes an exclusive lock that the kernel releases when this process
// ends, and writes the pid for others to read. The error is
// syscall.EWOULDBLOCK when it is held. The file stays: removing it would let
// two processes lock two files of one name.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, err
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = fmt.Fprintf(f, "%d\n", os.Getpid())
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

func (d *dataDir) holder() string {
	text, err := os.ReadFile(filepath.Join(d.path, lockName))
	if pid := strings.TrimSpace(string(text)); err == nil && pid != "" {
		return "pid " + pid
	}
	return "pid unknown"
}

func (d *dataDir) load() error {
	text, err := os.ReadFile(d.engineFile())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return unusable(d.path, err)
	}
	d.engine = strings.TrimSpace(string(text))
	text, err = os.ReadFile(d.portsFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return unusable(d.path, err)
	}
	if err := json.Unmarshal(text, &d.ports); err != nil {
		return fmt.Errorf("reading %s: %w; remove it to have new ports chosen", d.portsFile(), err)
	}
	return nil
}

func (d *dataDir) engineFile() string   { return filepath.Join(d.path, "engine") }
func (d *dataDir) portsFile() string    { return filepath.Join(d.path, "ports.json") }
func (d *dataDir) passwordFile() string { return filepath.Join(d.path, passwordName) }
func (d *dataDir) s3KeysFile() string   { return filepath.Join(d.path, "s3-credentials") }
func (d *dataDir) redisDir() string     { return filepath.Join(d.path, "redis") }
func (d *dataDir) close() error         { return d.lock.Close() }
func (d *dataDir) isNew() bool          { return d.engine == "" }

func (d *dataDir) saveEngine(name string) error {
	if d.engine == name {
		return nil
	}
	d.engine = name
	return writeFile(d.engineFile(), []byte(name+"\n"))
}

func (d *dataDir) savePorts(p ports) error {
	if d.ports == p {
		return nil
	}
	d.ports = p
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return writeFile(d.portsFile(), append(text, '\n'))
}

// redisPassword returns the password of Redis, made at the first start.
func (d *dataDir) redisPassword() (string, error) {
	text, err := d.secret(d.passwordFile(), func() string { return randomHex(32) + "\n" })
	return strings.TrimSpace(text), err
}

// s3Keys returns the key pair of the S3 store, made at the first start.
func (d *dataDir) s3Keys() (access, secret string, err error) {
	text, err := d.secret(d.s3KeysFile(), func() string {
		return fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", strings.ToUpper(randomHex(10)), randomHex(20))
	})
	if err != nil {
		return "", "", err
	}
	for line := range strings.SplitSeq(text, "\n") {
		name, value, _ := strings.Cut(line, "=")
		switch strings.TrimSpace(name) {
		case "aws_access_key_id":
			access = strings.TrimSpace(value)
		case "aws_secret_access_key":
			secret = strings.TrimSpace(value)
		}
	}
	if access == "" || secret == "" {
		return "", "", fmt.Errorf("reading %s: no key pair in it; remove it to have a new one made", d.s3KeysFile())
	}
	return access, secret, nil
}

// secret returns the content of a file that only its owner may read, made with
// what generate gives when it is missing.
func (d *dataDir) secret(path string, generate func() string) (string, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		made := generate()
		return made, writeFile(path, []byte(made))
	}
	if err == nil && strings.TrimSpace(string(text)) == "" {
		err = errors.New("it is empty; remove it to have a new one made")
	}
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", path, err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return "", err
	}
	return string(text), nil
}

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// randomPort returns a port below those that systems hand out by themselves
// (Linux from 32768, others from 49152), so that no passing connection has it
// when the server is started again.
func randomPort() int { return 20000 + mathrand.IntN(12000) }

// writeFile replaces a file, readable by its owner only, in one step and
// durably.
func writeFile(path string, content []byte) error {
	return replaceFile(path, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}

func replaceFile(path string, write func(io.Writer) error) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	err = write(tmp)
	if err == nil {
		err = tmp.Sync()
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = f.Sync()
	return errors.Join(err, f.Close())
}
