package standalone

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docsvc/docsvc/pkg/redistest"
)

func TestEngineIsNeverSwitched(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		recorded, asked string
		find            func(string) (string, error)
		want            string // in the error; empty: starts with the recorded engine
	}{
		{EngineMiniredis, "", findTestServer, ""},
		{EngineMiniredis, EngineRedis, findTestServer, "belongs to miniredis and cannot be opened with redis-server"},
		{EngineRedis, "", findNothing, "belongs to redis-server: there is no redis-server on PATH; install it again"},
		{EngineRedis, EngineMiniredis, findTestServer, "belongs to redis-server and cannot be opened with miniredis"},
		{"keydb", "", findTestServer, `Redis engine "keydb", which this docsvc does not know`},
		{"", "keydb", findTestServer, `unknown Redis engine "keydb"`},
		{"", EngineValkey, findNothing, "there is no valkey-server on PATH"},
	} {
		t.Run(tc.recorded+" "+tc.asked, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if tc.recorded == EngineMiniredis {
				stop(t, start(t, options(t, dir, EngineMiniredis)))
			} else if tc.recorded != "" {
				for name, text := range map[string]string{"lock": "", "redis-password": "secret\n", "engine": tc.recorded + "\n"} {
					if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
			o := options(t, dir, tc.asked)
			o.find = tc.find
			e, err := Start(context.Background(), o)
			if tc.want != "" {
				if err == nil || !strings.Contains(err.Error(), tc.want) {
					t.Fatalf("got %v", err)
				}
				if _, err := os.Stat(filepath.Join(dir, "redis")); tc.recorded != EngineMiniredis && err == nil {
					t.Error("something was begun all the same")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer stop(t, e)
			if e.RedisEngine != tc.recorded {
				t.Errorf("runs %s", e.RedisEngine)
			}
			if redistest.Binary() != "" && !strings.Contains(e.RedisNote, "A redis-server is on PATH, but this data directory was begun without it") {
				t.Errorf("does not say that a redis-server is there: %s", e.RedisNote)
			}
		})
	}
}

func TestFindServer(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	for text, want := range map[string]string{
		"echo 'Redis server v=7.0.15 sha=0'": "",
		"echo 'Valkey server v=8.1.1 sha=0'": "",
		"echo 'Redis server v=6.2.0 sha=0'":  "",
		"echo 'Redis server v=6.0.16 sha=0'": "older than 6.2",
		"echo 'Redis server v=5.0.7 sha=0'":  "older than 6.2",
		"echo nothing":                       "not a version",
		"exit 1":                             "does not run",
	} {
		if err := os.WriteFile(filepath.Join(dir, "redis-server"), []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		_, err := findServer(EngineRedis)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := findServer(EngineValkey); err == nil {
		t.Error("found a valkey-server that is not there")
	}
}
