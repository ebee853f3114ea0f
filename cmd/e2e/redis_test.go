package e2e

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/porttest"
	"github.com/docsvc/docsvc/pkg/redistest"
)

// authority signs certificates for a test, in files below dir.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	a.cert, a.key = a.issue(name, &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

// issue writes NAME.pem and NAME.key.
func (a *authority) issue(name string, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.Subject = pkix.Name{CommonName: name}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		a.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{a.file(name + ".pem"): {Type: "CERTIFICATE", Bytes: der}, a.file(name + ".key"): {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// tlsAuthority has issued server, for servers and what they say to one another,
// and client.
func tlsAuthority(t *testing.T) *authority {
	t.Helper()
	ca := newAuthority(t, "ca")
	both := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	ca.issue("server", &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: both})
	ca.issue("client", &x509.Certificate{ExtKeyUsage: both[1:]})
	return ca
}

// set gives the site's processes further variables.
func (s *site) set(env ...string) { s.env = append(s.env, env...) }

// A server that speaks TLS only to who shows a certificate of its authority.
func TestRedisTLS(t *testing.T) {
	t.Parallel()
	if !redistest.HasTLS(t) {
		t.Skip("this redis-server was built without TLS")
	}
	ca := tlsAuthority(t)
	addr := porttest.Addr(t)
	_, port, _ := strings.Cut(addr, ":")
	s := siteOn(t, redistest.StartWith(t, "--tls-port", port, "--tls-auth-clients", "yes",
		"--tls-cert-file", ca.file("server.pem"), "--tls-key-file", ca.file("server.key"), "--tls-ca-cert-file", ca.file("ca.pem")))

	s.set("REDIS_URL=rediss://"+addr+"/0", "DOCSVC_REDIS_TLS_CERT_FILE="+ca.file("client.pem"), "DOCSVC_REDIS_TLS_KEY_FILE="+ca.file("client.key"))
	if out, err := s.run("config", "check"); err == nil || !strings.Contains(out, "certificate signed by unknown authority") {
		t.Errorf("an unknown authority was taken: %v\n%s", err, out)
	}
	s.set("DOCSVC_REDIS_TLS_CA_FILE=" + ca.file("ca.pem"))
	if out, err := s.run("config", "check"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	s.serve()
	id := s.submit("a.txt", "text/plain", bigText(2000))
	if _, err := s.run("worker", "--burst"); err != nil {
		t.Fatal(err)
	}
	s.reach(id, "completed")

	s.set("DOCSVC_REDIS_TLS_CERT_FILE=", "DOCSVC_REDIS_TLS_KEY_FILE=") // empty is as if not set
	if _, err := s.run("queue", "info"); err == nil || !strings.Contains(err.Error(), "no answer from Redis") {
		t.Errorf("without a certificate: %v", err)
	}
}

// aclRule takes the rule that the guide gives out of it.
func aclRule(t *testing.T, password string) []any {
	t.Helper()
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^user docsvc on >\S+ (.*)$`).FindSubmatch(text)
	if m == nil {
		t.Fatal("docs/operations.md gives no rule \"user docsvc on >... ...\"")
	}
	rule := []any{"ACL", "SETUSER", "docsvc", "on", ">" + password}
	for _, word := range strings.Fields(string(m[1])) {
		rule = append(rule, word)
	}
	return rule
}

// Everything works under the ACL rule of the guide, and nothing that docsvc
// tries is refused by it.
func TestRedisACL(t *testing.T) {
	t.Parallel()
	s := newSite(t, redistest.RedisServer)
	ctx, admin := context.Background(), s.redis.Client(t)
	if err := admin.Do(ctx, aclRule(t, "s3cret")...).Err(); err != nil {
		t.Fatal(err)
	}
	s.set("REDIS_URL=redis://docsvc:s3cret@" + s.redis.Addr + "/0")
	s.serve()
	first := s.submit("a.txt", "text/plain", bigText(3000))
	again := s.submit("b.txt", "text/plain", bigText(3000))
	w := s.start("worker", "--all", "--name", "w")
	s.reach(first, "completed")
	s.reach(again, "duplicate")
	s.putObject("inbox/c.txt", bigText(4000))
	run := func(args ...string) string {
		t.Helper()
		out, err := s.run(args...)
		if err != nil {
			t.Error(err)
		}
		return out
	}
	enqueue := func(args ...string) string {
		t.Helper()
		out := run(append([]string{"queue", "enqueue", "-o", "json"}, args...)...)
		m := regexp.MustCompile(`"id": *"([^"]+)"`).FindStringSubmatch(out)
		if m == nil {
			t.Fatalf("no id in %s", out)
		}
		return m[1]
	}
	object := enqueue("docsvc.process_object", "inbox/c.txt", "--queue", "document_processing")
	s.until("the object to be processed", func() error {
		if out := run("queue", "job", object); !strings.Contains(out, "finished") {
			return errors.New(out)
		}
		return nil
	})

	run("queue", "suspend", "--duration", "1h")
	waiting := enqueue("docsvc.cleanup", "daily", "dry_run:=true", "--queue", "cleanup_tasks")
	after := enqueue("docsvc.cleanup", "daily", "--queue", "cleanup_tasks", "--depends-on", waiting)
	later := enqueue("docsvc.cleanup", "daily", "--queue", "cleanup_tasks", "--schedule-in", "1h")
	for _, args := range [][]string{
		{"config", "check"}, {"queue", "info"}, {"queue", "info", "-o", "raw"}, {"queue", "health"}, {"queue", "workers"},
		{"queue", "list", "cleanup_tasks"}, {"queue", "list", "cleanup_tasks", "--registry", "scheduled"}, {"queue", "list", "document_processing", "--registry", "finished"},
		{"queue", "explain", first}, {"queue", "explain", after}, {"queue", "explain", later}, {"queue", "job", later},
		{"queue", "cancel", waiting}, {"queue", "retry", waiting}, {"queue", "cancel", after}, {"queue", "delete", later, "--delete-dependents"},
		{"queue", "retry", "--all-failed"}, {"queue", "empty", "cleanup_tasks", "--yes"}, {"queue", "resume"},
		{"documents", "rebuild"}, {"cleanup", "daily", "--now"}, {"cleanup", "daily", "--wait"},
	} {
		run(args...)
	}
	for _, path := range []string{"", "?tag=x", "?search=word", "?status=completed", "/stats", "/usage", "/" + first, "/" + first + "/text", "/" + first + "/chunks"} {
		if err := s.get("/api/v1/documents"+path, nil); err != nil && !strings.HasSuffix(path, "/text") {
			t.Errorf("%s: %v", path, err)
		}
	}
	s.patchAndDelete(first, again)

	// What does not agree, for fsck to repair, also by renaming.
	admin.SAdd(ctx, "rq:queue:odd", "not a list")
	admin.SAdd(ctx, "rq:queues", "rq:queue:odd")
	admin.RPush(ctx, "rq:queue:cleanup_tasks", "gone")
	if _, err := s.run("queue", "fsck", "--fix", "--age", "1s"); err != nil && !strings.Contains(err.Error(), "exit status 4") {
		t.Error(err)
	}

	// A held job: progress, heartbeats, the stop command, then one whose worker dies.
	reached, release := s.hold(http.MethodGet, "/temp/")
	held := s.submit("d.txt", "text/plain", bigText(5000))
	s.wait("the job to run", reached)
	st, err := s.status(held)
	if err != nil {
		t.Fatal(err)
	}
	run("queue", "stop", st.JobID, "--wait", "20s")
	release()
	reached, release = s.hold(http.MethodGet, "/temp/")
	held = s.submit("e.txt", "text/plain", bigText(6000))
	s.wait("the job to run", reached)
	w.kill()
	release()
	w = s.start("worker", "--all", "--name", "w")
	s.reach(held, "completed")
	w.stop(syscall.SIGTERM)

	log, err := admin.ACLLog(ctx, 100).Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range log {
		if e.Object == "config|get" {
			continue // asked at start for appendfsync, which INFO doesn't tell; done without
		}
		t.Errorf("refused: %s %s (%s)", e.Reason, e.Object, e.Context)
	}
	docsvc := aclClient(t, s.redis)
	for _, forbidden := range [][]any{{"FLUSHALL"}, {"CONFIG", "GET", "*"}, {"KEYS", "*"}, {"GET", "somebody:else"}, {"SET", "x", "y"}, {"ACL", "LIST"}, {"PUBLISH", "x", "y"}, {"SHUTDOWN"}} {
		if err := docsvc.Do(ctx, forbidden...).Err(); err == nil || !strings.HasPrefix(err.Error(), "NOPERM") {
			t.Errorf("%v: %v, want NOPERM", forbidden, err)
		}
	}
}

// patchAndDelete changes one document and deletes another.
func (s *site) patchAndDelete(patched, deleted string) {
	s.t.Helper()
	at := s.api + "/api/v1/documents/"
	if a, err := s.call(http.MethodPatch, at+patched, strings.NewReader(`{"title": "word", "tags": ["x"]}`), "application/json"); err != nil || a.status != 200 {
		s.t.Errorf("PATCH: %v, %v", a, err)
	}
	if a, err := s.call(http.MethodDelete, at+deleted, nil, ""); err != nil || a.status != 204 {
		s.t.Errorf("DELETE: %v, %v", a, err)
	}
}

// aclClient connects as the user docsvc.
func aclClient(t *testing.T, srv *redistest.Server) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: srv.Addr, Username: "docsvc", Password: "s3cret", DisableIdentity: true})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// Sentinel promotes the replica while a worker runs: the job in hand ends, and
// what comes afterwards is taken in and processed.
func TestRedisSentinel(t *testing.T) {
	t.Parallel()
	followSentinel(t, redistest.Start(t, redistest.RedisServer), "redis", nil)
}

// The same with nothing but TLS: to Sentinel, to the primary and its replica,
// and between them.
func TestRedisSentinelTLS(t *testing.T) {
	t.Parallel()
	if !redistest.HasTLS(t) {
		t.Skip("this redis-server was built without TLS")
	}
	ca := tlsAuthority(t)
	primary := redistest.StartTLS(t, redistest.TLS{Cert: ca.file("server.pem"), Key: ca.file("server.key"), CA: ca.file("ca.pem")})
	followSentinel(t, primary, "rediss", []string{"DOCSVC_REDIS_TLS_CA_FILE=" + ca.file("ca.pem"),
		"DOCSVC_REDIS_TLS_CERT_FILE=" + ca.file("client.pem"), "DOCSVC_REDIS_TLS_KEY_FILE=" + ca.file("client.key")})
}

func followSentinel(t *testing.T, primary *redistest.Server, scheme string, env []string) {
	replica := redistest.StartReplica(t, primary)
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("of-sentinel\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	sentinel, overTLS := redistest.StartSentinel(t, "docs", primary, 1, "of-sentinel")
	s := siteOn(t, primary)
	s.set(env...)
	s.set("REDIS_URL="+scheme+"://of.no.use.invalid/0", "DOCSVC_REDIS_SENTINEL_ADDRS=127.0.0.1:1,"+cmp.Or(overTLS, sentinel), "DOCSVC_REDIS_SENTINEL_PASSWORD_FILE="+password)
	s.set("DOCSVC_REDIS_SENTINEL_MASTER=another")
	if out, err := s.run("config", "check"); err == nil || !strings.Contains(out, `no Sentinel that answers knows a primary called "another"`) {
		t.Errorf("%v\n%s", err, out)
	}
	s.set("DOCSVC_REDIS_SENTINEL_MASTER=docs")
	s.serve()
	w := s.start("worker", "--name", "w")
	s.reach(s.submit("a.txt", "text/plain", bigText(2000)), "completed")

	reached, release := s.hold(http.MethodGet, "/temp/")
	held := s.submit("b.txt", "text/plain", bigText(3000))
	s.wait("the job to run", reached)
	if n, err := primary.Client(t).Wait(context.Background(), 1, 10*time.Second).Result(); n != 1 {
		t.Fatalf("the replica does not follow: %d, %v", n, err)
	}
	primary.Kill()
	redistest.Promote(t, sentinel, "docs", "of-sentinel")
	release()
	s.until("the replica to be promoted", func() error {
		info, err := replica.Client(t).Info(context.Background(), "replication").Result()
		if err == nil && !strings.Contains(info, "role:master") {
			err = errors.New(info)
		}
		return err
	})
	s.until("the API to follow", func() error { return s.get("/readyz", nil) })
	if st := s.reach(held, "completed", "failed"); st.Status != "completed" {
		t.Errorf("%+v", st)
	}
	s.reach(s.submit("c.txt", "text/plain", bigText(4000)), "completed")
	if out, err := s.run("queue", "info"); err != nil || !slices.Contains(strings.Fields(out), "w") {
		t.Errorf("%v\n%s", err, out)
	}
	w.stop(syscall.SIGTERM)
}
