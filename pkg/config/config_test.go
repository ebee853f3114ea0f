package config

import (
	"crypto/tls"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write configs/docsvc.yaml and docs/configuration.md anew")

func env(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

func file(t *testing.T, text string) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), "docsvc.yaml")
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	f := file(t, "redis:\n  url: redis://file:1/0\nchunks:\n  max_tokens: 300\n")
	cases := []struct {
		name      string
		env       []string
		overrides []Override
		want      string
		origin    string
	}{
		{"file beats default", nil, nil, "redis://file:1/0", "file " + f},
		{"REDIS_URL beats file", []string{"REDIS_URL", "redis://env:1/0"}, nil, "redis://env:1/0", "environment REDIS_URL"},
		{"DOCSVC_ beats REDIS_URL", []string{"REDIS_URL", "redis://env:1/0", "DOCSVC_REDIS_URL", "redis://own:1/0"}, nil, "redis://own:1/0", "environment DOCSVC_REDIS_URL"},
		{"an empty variable counts as unset", []string{"DOCSVC_REDIS_URL", ""}, nil, "redis://file:1/0", "file " + f},
		{"flag beats all", []string{"REDIS_URL", "redis://env:1/0"}, []Override{{"redis.url", "redis://flag:1/0", "flag --redis-url"}}, "redis://flag:1/0", "flag --redis-url"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c, err := Load(f, env(tc.env...), tc.overrides...)
			if err != nil {
				t.Fatal(err)
			}
			if c.Redis.URL != tc.want || c.Origins["redis.url"] != tc.origin {
				t.Errorf("redis.url = %s from %s, want %s from %s", c.Redis.URL, c.Origins["redis.url"], tc.want, tc.origin)
			}
			if c.Chunks.MaxTokens != 300 || c.Chunks.Overlap != 50 || c.Origins["chunks.overlap"] != "default" {
				t.Errorf("chunks = %+v, overlap from %s", c.Chunks, c.Origins["chunks.overlap"])
			}
		})
	}
}

func TestUnquotedValues(t *testing.T) {
	t.Parallel()
	c, err := Load(file(t, "storage:\n  path_style: true\n  access_key: 007\n  secret_key: 1234\n"), env())
	if err != nil {
		t.Fatal(err)
	}
	if c.Storage.PathStyle != "true" || c.Storage.SecretKey != "1234" {
		t.Errorf("storage = %+v", c.Storage)
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	c, err := Load(file(t, ""), env())
	if err != nil {
		t.Fatal(err)
	}
	if c.Uploads.MaxSize != 5<<30 || c.Uploads.URLTTL != time.Hour || c.Extract.Memory != 512<<20 {
		t.Errorf("uploads %+v, extract %+v", c.Uploads, c.Extract)
	}
	if got := strings.Join(c.QueueNames(), ","); got != "document_processing,cleanup_tasks" {
		t.Errorf("queues = %s", got)
	}
}

func TestQueues(t *testing.T) {
	t.Parallel()
	c, err := Load(file(t, "queues:\n  - name: cleanup_tasks\n    timeout: 1m\n  - name: Reports.Low\n    retries: 0\n"), env())
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(c.QueueNames(), ","); got != "document_processing,cleanup_tasks,Reports.Low" {
		t.Fatalf("queues = %s", got)
	}
	if q := c.Queues[1]; q.Timeout != time.Minute || *q.Retries != 2 {
		t.Errorf("cleanup_tasks = %+v", q)
	}
	if q := c.Queues[2]; q.Timeout != 30*time.Minute || *q.Retries != 0 {
		t.Errorf("Reports.Low = %+v", q)
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()
	cases := []struct{ name, text, want string }{
		{"misspelt key", "redis:\n  ulr: redis://x/0\n", `redis.ulr: unknown key; did you mean redis.url\? \(from file .*docsvc.yaml\)`},
		{"misspelt section", "chunk:\n  max_tokens: 3\n", `chunk.max_tokens: unknown key; did you mean chunks.max_tokens\?`},
		{"unknown key", "colour: blue\n", `colour: unknown key; configs/docsvc.yaml lists them all`},
		{"no duration", "uploads:\n  url_ttl: soon\n", `uploads.url_ttl: "soon" is no duration: write it as`},
		{"a number without unit", "uploads:\n  url_ttl: 3600\n", `uploads.url_ttl: "3600" is no duration: write it as`},
		{"no size", "uploads:\n  max_size: 5GB\n", `uploads.max_size: "5GB" is no size: write it in bytes or`},
		{"no number", "worker:\n  concurrency: many\n", `worker.concurrency: "many" is no whole number`},
		{"no bool", "storage:\n  keep_original: perhaps\n", `storage.keep_original: "perhaps" is neither true nor false`},
		{"out of range", "chunks:\n  max_tokens: 3\n", `chunks.max_tokens: must be 50 to 8000, not 3`},
		{"overlap over half", "chunks:\n  max_tokens: 100\n  overlap: 80\n", `chunks.overlap: must be 0 to 50, not 80`},
		{"endpoint with path", "storage:\n  endpoint: http://h:1/bucket\n", `storage.endpoint: not an endpoint`},
		{"key without secret", "storage:\n  access_key: abc\n", `storage.access_key: needs storage.secret_key_file`},
		{"queue without name", "queues:\n  - timeout: 1m\n", `queues: name "": a queue needs a name`},
		{"unknown key of a queue", "queues:\n  - name: a\n    colour: 1\n", `queues: .*colour`},
		{"queue timeout without unit", "queues:\n  - name: a\n    timeout: 5\n", `queues: .*has no unit`},
		{"half an hour", "cleanup:\n  older_than: 90m\n", `cleanup.older_than: must be a whole number of hours`},
		{"list for a value", "redis:\n  url: [a, b]\n", `redis.url: takes one value, not a list or section`},
		{"Sentinel without a name", "redis:\n  sentinel_addrs: s:1\n", `redis.sentinel_addrs: needs redis.sentinel_master`},
		{"a name without Sentinel", "redis:\n  sentinel_master: docs\n", `redis.sentinel_master: needs redis.sentinel_addrs`},
		{"password without Sentinel", "redis:\n  sentinel_password_file: /x\n", `redis.sentinel_password_file: needs redis.sentinel_addrs`},
		{"Sentinel and a socket", "redis:\n  url: unix:///run/redis.sock\n  sentinel_addrs: s:1\n  sentinel_master: docs\n", `redis.url: with redis.sentinel_addrs it gives user`},
		{"authority without TLS", "redis:\n  tls_ca_file: /x\n", `redis.tls_ca_file: is only used with TLS: write redis.url as rediss://`},
		{"certificate without TLS", "redis:\n  tls_cert_file: /x\n  tls_key_file: /y\n", `redis.tls_cert_file: is only used with TLS`},
		{"certificate without key", "redis:\n  url: rediss://h:1/0\n  tls_cert_file: /x\n", `redis.tls_cert_file and redis.tls_key_file go together`},
		{"no yaml", "redis: [\n", `reading .*docsvc.yaml`},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := Load(file(t, tc.text), env())
			if err == nil {
				t.Fatal("no error")
			}
			if !regexp.MustCompile(tc.want).MatchString(err.Error()) {
				t.Errorf("error %q does not match %q", err, tc.want)
			}
		})
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none.yaml"), env()); err == nil {
		t.Error("a named file that is missing must be an error")
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	c, err := Load(file(t, ""), env("REDIS_URL", "redis://u:hunter2@h:1/0?sentinel_password=hunter2", "DOCSVC_STORAGE_ACCESS_KEY", "id", "DOCSVC_STORAGE_SECRET_KEY", "hunter2"))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range c.Values() {
		if strings.Contains(v.Value, "hunter2") {
			t.Errorf("%s shows its secret: %s", v.Key, v.Value)
		}
	}
	_, err = Load(file(t, ""), env("REDIS_URL", "http://u:hunter2@h:1/0"))
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("error for a bad URL: %v", err)
	}
}

func TestSentinel(t *testing.T) {
	t.Parallel()
	c, err := Load(file(t, ""), env())
	if err != nil || c.RedisGiven() {
		t.Errorf("nothing is given: %v", err)
	}
	c, err = Load(file(t, "redis:\n  sentinel_addrs: \"s1:1, s2  ::1,[::2]:3\"\n  sentinel_master: docs\n"),
		env("DOCSVC_REDIS_SENTINEL_PASSWORD_FILE", file(t, "s3cret\n")))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(c.SentinelAddrs(), " "); got != "s1:1 s2:26379 [::1]:26379 [::2]:3" {
		t.Error(got)
	}
	if got, err := c.SentinelPassword(); err != nil || got != "s3cret" {
		t.Errorf("%q, %v", got, err)
	}
	if got := c.PlainRedisURL(); !strings.HasPrefix(got, "docs, as Sentinel at s1:1, ") || !c.RedisGiven() {
		t.Error(got)
	}
}

// Files that can't be used are told apart, by setting.
func TestRedisTLSFiles(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ ca, cert, want string }{
		{ca: "/none", want: "redis.tls_ca_file: open /none"},
		{ca: file(t, "no certificate"), want: "holds no certificate in PEM form"},
		{cert: "/none", want: "redis.tls_cert_file: open /none"},
	} {
		c, err := Load(file(t, ""), env("REDIS_URL", "rediss://h:1/0", "DOCSVC_REDIS_TLS_CA_FILE", tc.ca, "DOCSVC_REDIS_TLS_CERT_FILE", tc.cert, "DOCSVC_REDIS_TLS_KEY_FILE", tc.cert))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.RedisTLS(&tls.Config{}); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%v, want %q", err, tc.want)
		}
	}
}

func TestSecretFiles(t *testing.T) {
	t.Parallel()
	keys := file(t, "# mine\n0123456789abcdef0123\n\n")
	password := file(t, "s3cret\n")
	c, err := Load(file(t, ""), env("DOCSVC_SERVER_API_KEY_FILE", keys, "DOCSVC_REDIS_PASSWORD_FILE", password, "REDIS_URL", "redis://h:1/2"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.APIKeys(); err != nil || len(got) != 1 || got[0] != "0123456789abcdef0123" {
		t.Errorf("api keys = %q, %v", got, err)
	}
	if got, err := c.RedisURL(); err != nil || got != "redis://:s3cret@h:1/2" {
		t.Errorf("redis url = %q, %v", got, err)
	}
	c.Server.APIKeyFile = file(t, "short\n")
	if _, err := c.APIKeys(); err == nil || strings.Contains(err.Error(), "short\n") {
		t.Errorf("a short key: %v", err)
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Size{"1": 1, "512KiB": 512 << 10, "64 MiB": 64 << 20, "5GiB": 5 << 30, "0": 0} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("ParseSize(%q) = %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "-1", "5GB", "MiB", "99999999999GiB"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("ParseSize(%q) = %d", text, got)
		}
	}
	for size, want := range map[Size]string{5 << 30: "5GiB", 1536: "1536B", 1 << 20: "1MiB", 0: "0"} {
		if got := size.String(); got != want && got != strings.TrimSuffix(want, "B") {
			t.Errorf("%d = %s, want %s", int64(size), got, want)
		}
	}
}

// The shipped file is the one the code would write, and with every comment
// taken away it loads and says the defaults.
func TestShippedFile(t *testing.T) {
	t.Parallel()
	const path = "../../configs/docsvc.yaml"
	if *update {
		if err := os.WriteFile(path, []byte(Sample()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != Sample() {
		t.Error("configs/docsvc.yaml is not what the code says: go test ./pkg/config -run ShippedFile -update")
	}
	uncommented := regexp.MustCompile(`(?m)^#( {2}|[a-z]+:)`).ReplaceAllString(Sample(), "$1")
	c, err := Load(file(t, uncommented), env())
	if err != nil {
		t.Fatal(err)
	}
	d, err := Load(file(t, ""), env())
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range c.Values() {
		if d.Values()[i].Value != v.Value {
			t.Errorf("%s: file says %q, default is %q", v.Key, v.Value, d.Values()[i].Value)
		}
		if !strings.HasPrefix(v.Origin, "file ") {
			t.Errorf("%s is not in the file", v.Key)
		}
	}
}

// docs/configuration.md is what the code says, and names every key.
func TestReferenceIsUpToDate(t *testing.T) {
	t.Parallel()
	const path = "../../docs/configuration.md"
	if *update {
		if err := os.WriteFile(path, []byte(Reference()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != Reference() {
		t.Error("docs/configuration.md is not what the code says: go test ./pkg/config -run Reference -update")
	}
	for _, k := range Keys() {
		if !strings.Contains(string(have), "`"+k.Name+"`") || !strings.Contains(string(have), "`"+EnvName(k.Name)+"`") || !strings.Contains(string(have), k.Help) {
			t.Errorf("docs/configuration.md does not tell of %s", k.Name)
		}
	}
}
