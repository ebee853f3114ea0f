package standalone

import (
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// listening returns an address of this process that answers.
func listening(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return "http://" + l.Addr().String()
}

func TestRendezvous(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a directory")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if r, err := FindRendezvous(dir); r != nil || err != nil {
		t.Fatalf("in an empty directory: %v, %v", r, err)
	}
	want := Rendezvous{API: listening(t), RedisURL: "redis://:secret@127.0.0.1:1/0", S3Endpoint: "http://127.0.0.1:2",
		Region: region, Bucket: bucket, AccessKey: "a", SecretKey: "b", DataDir: "/data"}
	remove, err := WriteRendezvous(dir, want)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, ".docsvc", "standalone.json")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	got, err := FindRendezvous(dir)
	if err != nil || got == nil {
		t.Fatalf("%v, %v", got, err)
	}
	want.PID, want.Process, want.StartedAt = os.Getpid(), processStamp(os.Getpid()), got.StartedAt
	if *got != want || got.StartedAt.IsZero() {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	remove()
	if _, err := os.Stat(filepath.Join(dir, ".docsvc")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left behind: %v", err)
	}
}

// rewrite changes a rendezvous file, as another process would have written it.
func rewrite(t *testing.T, dir string, change func(*Rendezvous)) {
	t.Helper()
	path := rendezvousPath(dir)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r := new(Rendezvous)
	if err := json.Unmarshal(text, r); err != nil {
		t.Fatal(err)
	}
	change(r)
	if text, err = json.Marshal(r); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestStaleRendezvous(t *testing.T) {
	t.Parallel()
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		change func(*Rendezvous)
		want   string
		linux  bool
	}{
		"dead":       {func(r *Rendezvous) { r.PID = gone.Process.Pid }, "there is no process", false},
		"other boot": {func(r *Rendezvous) { r.Process = "0000" + r.Process[4:] }, "is another program by now", true},
		"pid reused": {func(r *Rendezvous) { r.PID = os.Getppid() }, "is another program by now", true},
		"no answer":  {func(r *Rendezvous) { r.API = "http://127.0.0.1:1" }, "none of its addresses answers", false},
		"no address": {func(r *Rendezvous) { r.API, r.RedisURL, r.S3Endpoint = "", "", "" }, "none of its addresses answers", false},
	} {
		if tc.linux && runtime.GOOS != "linux" {
			continue
		}
		dir := t.TempDir()
		remove, err := WriteRendezvous(dir, Rendezvous{API: listening(t)})
		if err != nil {
			t.Fatal(err)
		}
		rewrite(t, dir, tc.change)
		var stale *StaleError
		if r, err := FindRendezvous(dir); r != nil || !errors.As(err, &stale) || !strings.Contains(stale.Reason, tc.want) {
			t.Errorf("%s: %v, %v", name, r, err)
		}
		// A new server takes the place of one that is gone.
		again, err := WriteRendezvous(dir, Rendezvous{API: listening(t)})
		if err != nil {
			t.Errorf("%s: writing over it: %v", name, err)
			continue
		}
		if r, err := FindRendezvous(dir); r == nil || err != nil {
			t.Errorf("%s: after writing over it: %v, %v", name, r, err)
		}
		remove, again = again, remove
		remove()
		again()
	}
}

// Of two servers started in one directory the first keeps the file.
func TestOccupiedRendezvous(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	remove, err := WriteRendezvous(dir, Rendezvous{API: listening(t), DataDir: "/first"})
	if err != nil {
		t.Fatal(err)
	}
	// It belongs to a live process that is not this one: our parent.
	rewrite(t, dir, func(r *Rendezvous) { r.PID, r.Process = os.Getppid(), processStamp(os.Getppid()) })
	var occupied *OccupiedError
	if _, err := WriteRendezvous(dir, Rendezvous{API: listening(t)}); !errors.As(err, &occupied) || occupied.Other.DataDir != "/first" {
		t.Fatalf("got %v", err)
	}
	remove() // of the one that no longer owns it
	if r, err := FindRendezvous(dir); r == nil || err != nil || r.DataDir != "/first" {
		t.Errorf("another server's file was removed: %v, %v", r, err)
	}
}

func TestUntrustedRendezvous(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := WriteRendezvous(dir, Rendezvous{API: listening(t)}); err != nil {
		t.Fatal(err)
	}
	path := rendezvousPath(dir)
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	if r, err := FindRendezvous(dir); r != nil || err == nil || !strings.Contains(err.Error(), "others may write it") {
		t.Errorf("writable by others: %v, %v", r, err)
	}
	if os.Geteuid() == 0 {
		if err := errors.Join(os.Chmod(path, 0o600), os.Chown(path, 65534, 65534)); err != nil {
			t.Fatal(err)
		}
		if r, err := FindRendezvous(dir); r != nil || err == nil {
			t.Errorf("of another user: %v, %v", r, err)
		}
	}
	for _, text := range []string{"", "{", "[]", `{"pid": 0}`, `{"pid": -1}`} {
		_ = os.Remove(path)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if r, err := FindRendezvous(dir); r != nil || err == nil {
			t.Errorf("%q: %v, %v", text, r, err)
		}
	}
}

func TestRendezvousInAReadOnlyDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if os.Geteuid() == 0 {
		dir = "/proc/self" // not even root can write there
	} else if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	remove, err := WriteRendezvous(dir, Rendezvous{API: listening(t)})
	if err == nil || remove != nil || !strings.Contains(err.Error(), "standalone.json") {
		t.Errorf("got %v", err)
	}
	if r, err := FindRendezvous(dir); r != nil || err != nil {
		t.Errorf("found %v, %v", r, err)
	}
}
