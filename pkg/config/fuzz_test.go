package config

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// A file of settings that is wrong is told with the file or the key at fault,
// and one that is read can be shown.
func FuzzFile(f *testing.F) {
	for _, text := range []string{"", Sample(), "redis:\n  url: redis://h:1/0\n", "queues:\n  - name: a\n    timeout: 1e9\n", "queues: {a: 1}\n", "redis: [\n", "chunks:\n  max_tokens: -1\n",
		"storage:\n  max_upload: 5 GB\n", "\x00", "a: &a [*a]\n", "worker:\n  webhooks: maybe\n", "REDIS:\n  URL: x\n", "redis:\n  url: {}\n", "? ? ? a\n", "---\n---\n"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		at := filepath.Join(t.TempDir(), "docsvc.yaml")
		if err := os.WriteFile(at, text, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(at, env())
		if err != nil {
			var e *Error
			if errors.As(err, &e) && e.Error() == "" {
				t.Errorf("%q is refused without a word", text)
			}
			return
		}
		_ = c.Values()
		_ = c.QueueNames()
	})
}

// So are values, which come from flags and the environment, too.
func FuzzValue(f *testing.F) {
	keys := Keys()
	for i := range keys {
		f.Add(uint(i), "")
	}
	for n, v := range []string{"-1", "1e999", "5 GiB", "24h", "true", "redis://[::1", "%zz", "\x00", "a,b", "0x7f", "http://h:99999", "24:61", "-1ns"} {
		for i := n; i < len(keys); i += 13 {
			f.Add(uint(i), v)
		}
	}
	f.Fuzz(func(t *testing.T, which uint, value string) {
		c, err := Load("", env(), Override{Key: keys[which%uint(len(keys))].Name, Value: value, Origin: "flag"})
		if err != nil {
			return
		}
		_ = c.Values()
		size := Size(which % (1 << 60))
		if back, err := ParseSize(size.String()); err != nil || back != size {
			t.Errorf("%d bytes are written %s and read %d, %v", size, size, back, err)
		}
	})
}
