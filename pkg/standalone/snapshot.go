package standalone

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// A snapshot file is
//
//	docsvc-redis-snapshot 1 <keys> <unix time>\n
//	commands as Redis clients send them (RESP arrays), which build the keyspace
//	sha256 <hex of everything before this line>\n
//
// so that its middle part can also be fed to another Redis (redis-cli --pipe).
const (
	snapshotMagic   = "docsvc-redis-snapshot"
	snapshotVersion = 1
	snapshotName    = "snapshot"
	previousName    = "snapshot.previous"

	// maxBatch elements of one key go into one command.
	maxBatch = 1000
)

// keyspace is the content of a Redis at one instant, as commands.
type keyspace struct {
	keys     int
	taken    time.Time
	commands [][]string
}

// add appends the commands that build one key.
func (ks *keyspace) add(v value) {
	if v.name == "XADD" {
		ks.addStream(v)
	}
	for args := v.args; len(args) > 0; {
		n := min(len(args), maxBatch*v.size)
		ks.commands = append(ks.commands, append([]string{v.name, v.key}, args[:n]...))
		args = args[n:]
	}
	if v.ttl > 0 {
		ends := ks.taken.Add(v.ttl).UnixMilli()
		ks.commands = append(ks.commands, []string{"PEXPIREAT", v.key, strconv.FormatInt(ends, 10)})
	}
}

// addStream appends a stream's entries, and one more with the last generated
// id that is deleted again where entries were removed from the end, so that no
// id is given out twice.
func (ks *keyspace) addStream(v value) {
	end := ""
	for _, e := range v.entries {
		ks.commands = append(ks.commands, append([]string{"XADD", v.key, e.ID}, e.Values...))
		end = e.ID
	}
	last := v.last
	if last == "" && end == "" {
		last = "0-1" // a stream that never had an entry
	}
	// A stream made by COPY has entries but no last id of its own.
	if last != "" && last != end {
		ks.commands = append(ks.commands, []string{"XADD", v.key, last, "-", "-"}, []string{"XDEL", v.key, last})
	}
}

// write replaces the snapshot in dir. The one before it is kept too, where the
// file system has links.
func (ks *keyspace) write(dir string) error {
	path := filepath.Join(dir, snapshotName)
	previous := filepath.Join(dir, previousName)
	_ = os.Remove(previous)
	_ = os.Link(path, previous)
	return replaceFile(path, func(w io.Writer) error {
		sum := sha256.New()
		b := bufio.NewWriterSize(io.MultiWriter(w, sum), 1<<20)
		fmt.Fprintf(b, "%s %d %d %d\n", snapshotMagic, snapshotVersion, ks.keys, ks.taken.Unix())
		for _, c := range ks.commands {
			fmt.Fprintf(b, "*%d\r\n", len(c))
			for _, arg := range c {
				fmt.Fprintf(b, "$%d\r\n%s\r\n", len(arg), arg)
			}
		}
		if err := b.Flush(); err != nil {
			return err
		}
		_, err := fmt.Fprintf(w, "sha256 %s\n", hex.EncodeToString(sum.Sum(nil)))
		return err
	})
}

// damagedSnapshotError says what is wrong with a snapshot and how to go on.
type damagedSnapshotError struct {
	dir    string
	reason string
}

func (e *damagedSnapshotError) Error() string {
	text := fmt.Sprintf("the Redis snapshot %s is damaged: %s.", filepath.Join(e.dir, snapshotName), e.reason)
	if info, err := os.Stat(filepath.Join(e.dir, previousName)); err == nil {
		text += fmt.Sprintf(" The one before it, %s, is of %s: to go on with that one, rename it to %s.",
			filepath.Join(e.dir, previousName), info.ModTime().Format(time.DateTime), snapshotName)
	}
	return text + " To begin with an empty queue and no document records, remove the directory " + e.dir + "; stored objects stay"
}

// readSnapshot reads the snapshot in dir. It never leaves anything out: a file
// that is not exactly what was written is an error.
func readSnapshot(dir string) (*keyspace, error) {
	text, err := os.ReadFile(filepath.Join(dir, snapshotName))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, &damagedSnapshotError{dir, "it is missing"}
		}
		return nil, fmt.Errorf("reading the Redis snapshot: %w", err)
	}
	damaged := func(reason string) error { return &damagedSnapshotError{dir, reason} }
	head, rest, ok := bytes.Cut(text, []byte("\n"))
	var version int
	var unix int64
	ks := new(keyspace)
	if _, err := fmt.Sscanf(string(head), snapshotMagic+" %d %d %d", &version, &ks.keys, &unix); !ok || err != nil {
		return nil, damaged("it does not begin as one")
	}
	if version != snapshotVersion {
		return nil, fmt.Errorf("the Redis snapshot %s has format %d, this docsvc reads %d: use the docsvc that wrote it", filepath.Join(dir, snapshotName), version, snapshotVersion)
	}
	const tail = len("sha256 ") + 2*sha256.Size + 1
	if len(rest) < tail || !bytes.HasPrefix(rest[len(rest)-tail:], []byte("sha256 ")) {
		return nil, damaged("its end is missing")
	}
	body := rest[:len(rest)-tail]
	sum := sha256.Sum256(text[:len(text)-tail])
	if got := strings.TrimSpace(string(rest[len(rest)-tail+len("sha256 "):])); got != hex.EncodeToString(sum[:]) {
		return nil, damaged("its checksum is another one")
	}
	ks.taken = time.Unix(unix, 0)
	if ks.commands, err = parseCommands(body); err != nil {
		return nil, damaged(err.Error())
	}
	return ks, nil
}

// parseCommands reads RESP arrays of bulk strings.
func parseCommands(b []byte) ([][]string, error) {
	number := func(prefix byte) (int, error) {
		line, rest, ok := bytes.Cut(b, []byte("\r\n"))
		if !ok || len(line) < 2 || line[0] != prefix {
			return 0, errors.New("a command is cut off")
		}
		b = rest
		n, err := strconv.Atoi(string(line[1:]))
		if err != nil || n < 0 || n > len(b) {
			return 0, errors.New("a command has an impossible length")
		}
		return n, nil
	}
	var out [][]string
	for len(b) > 0 {
		args, err := number('*')
		if err != nil {
			return nil, err
		}
		command := make([]string, args)
		for i := range command {
			n, err := number('$')
			if err != nil {
				return nil, err
			}
			if len(b) < n+2 || string(b[n:n+2]) != "\r\n" {
				return nil, errors.New("a command is cut off")
			}
			command[i], b = string(b[:n]), b[n+2:]
		}
		out = append(out, command)
	}
	return out, nil
}

// restore builds the keyspace in an empty Redis.
func (ks *keyspace) restore(ctx context.Context, rdb *redis.Client) error {
	for from := 0; from < len(ks.commands); from += maxBatch {
		p := rdb.Pipeline()
		for _, c := range ks.commands[from:min(from+maxBatch, len(ks.commands))] {
			args := make([]any, len(c))
			for i, a := range c {
				args[i] = a
			}
			p.Do(ctx, args...)
		}
		if _, err := p.Exec(ctx); err != nil {
			return fmt.Errorf("loading the Redis snapshot: %w", err)
		}
	}
	return nil
}
