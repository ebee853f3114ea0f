package health

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/redistest"
)

// Each setting that the promise rests on is told apart, with what it can cost.
func TestRedisSettings(t *testing.T) {
	t.Parallel()
	good := Redis{Version: "7.0.15", EvictPolicy: "noeviction", Role: "master", AppendOnly: "yes", AppendFsync: "everysec"}
	tests := []struct {
		name    string
		change  func(*Redis)
		status  Status
		reason  string // "" for none
		durable string
	}{
		{"as it should be", func(*Redis) {}, "", "", "can lose the last second"},
		{"always", func(r *Redis) { r.AppendFsync = "always" }, "", "", "loses nothing that was acknowledged"},
		{"fsync by the system", func(r *Redis) { r.AppendFsync = "no" }, "", "", "last 30 seconds"},
		{"CONFIG forbidden", func(r *Redis) { r.AppendFsync = "" }, "", "", "unless appendfsync is always"},
		{"evicts", func(r *Redis) { r.EvictPolicy = "allkeys-lru" }, Degraded, "set it to noeviction", ""},
		{"no append-only file", func(r *Redis) { r.AppendOnly = "no" }, Degraded, "Set appendonly to yes", "which without `save` is everything"},
		{"no append-only file, but a replica", func(r *Redis) { r.AppendOnly, r.Replicas = "no", 1 }, "", "", "last snapshot"},
		{"in-process", func(r *Redis) { r.AppendOnly, r.inProcess = "no", true }, "", "", "last snapshot"},
		{"disk full", func(r *Redis) { r.writeFailed = true }, Degraded, "could not write its data to disk", ""},
		{"too old", func(r *Redis) { r.Version = "6.0.16" }, Unhealthy, "needs 6.2 or newer", ""},
		{"replica", func(r *Redis) { r.Role = "slave" }, Unhealthy, "is a replica", ""},
		{"cluster", func(r *Redis) { r.Cluster = true }, Unhealthy, "cluster mode", ""},
		{"tells nothing", func(r *Redis) { *r = Redis{} }, "", "", ""},
	}
	for _, test := range tests {
		r := good
		test.change(&r)
		found := r.findings()
		if (len(found) > 0) != (test.reason != "") || len(found) > 1 {
			t.Errorf("%s: %+v", test.name, found)
		} else if len(found) == 1 && (found[0].status != test.status || !strings.Contains(found[0].reason, test.reason)) {
			t.Errorf("%s: %+v", test.name, found)
		}
		if got := r.durability(); !strings.Contains(got, test.durable) || (test.name == "tells nothing") != (got == "") {
			t.Errorf("%s: durability %q", test.name, got)
		}
	}
}

// A real server tells its settings; one that forbids CONFIG tells less.
func TestRedisSettingsOfAServer(t *testing.T) {
	t.Parallel()
	f := newFixture(t, redistest.Start(t, redistest.RedisServer), nil)
	set := func(name, value string) {
		t.Helper()
		if err := f.rdb.ConfigSet(t.Context(), name, value).Err(); err != nil {
			t.Fatal(err)
		}
	}
	set("appendfsync", "everysec")
	r := f.want(Healthy).Redis
	if r.Role != "master" || r.AppendOnly != "yes" || r.AppendFsync != "everysec" || !strings.Contains(r.Durability, "last second") || r.Cluster {
		t.Errorf("%+v", r)
	}
	if err := f.rdb.Do(t.Context(), "ACL", "SETUSER", "default", "-config").Err(); err != nil {
		t.Fatal(err)
	}
	if r := f.want(Healthy).Redis; r.AppendFsync != "" || !strings.Contains(r.Durability, "unless appendfsync is always") {
		t.Errorf("%+v", r)
	}
	if err := f.rdb.Do(t.Context(), "ACL", "SETUSER", "default", "+config").Err(); err != nil {
		t.Fatal(err)
	}
	set("appendonly", "no")
	set("maxmemory-policy", "volatile-lru")
	warnings, durability, err := f.RedisSettings(t.Context())
	if err != nil || len(warnings) != 2 || !strings.Contains(durability, "appendonly no") {
		t.Errorf("%q, %q, %v", warnings, durability, err)
	}
	if err := f.rdb.Do(t.Context(), "REPLICAOF", "127.0.0.1", "1").Err(); err != nil {
		t.Fatal(err)
	}
	if r := f.Check(t.Context()); r.Status != Unhealthy || !slices.ContainsFunc(r.Reasons, func(s string) bool { return strings.Contains(s, "is a replica") }) {
		t.Errorf("%+v", r)
	}
}

// The report has the ledger, and says what it misses and what to do.
func TestLedgerInTheReport(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.rdb.HSet(t.Context(), "docsvc:late", "q", 3)
		r := f.want(Healthy)
		if r.Ledger == nil || !r.Ledger.Complete || r.Caught == nil || r.Caught.LateFinishes != 3 {
			t.Fatalf("%+v %+v", r.Ledger, r.Caught)
		}
		f.rdb.HSet(t.Context(), "docsvc:ledger", "accepted", 2)
		f.want(Degraded, "2 accepted documents are unaccounted for")
	})
}

func TestImbalance(t *testing.T) {
	t.Parallel()
	tests := []struct {
		ledger document.Ledger
		want   string
	}{
		{document.Ledger{Accepted: 3, Completed: 3}, ""},
		{document.Ledger{Unaccounted: 1}, "1 accepted documents are unaccounted for"},
		{document.Ledger{Unaccounted: -2}, "2 documents more are there than were accepted"},
		{document.Ledger{Unaccounted: 3, LostDocuments: 3, Lost: []string{"a", "b"}}, "a, b and 1 more. Make each again from the bucket with `docsvc documents rebuild --id a`"},
		{document.Ledger{LostDocuments: 1, Lost: []string{"a"}}, "give one up with `docsvc documents delete a`"},
	}
	for _, test := range tests {
		found := imbalance(&test.ledger)
		if (len(found) == 0) != (test.want == "") || test.want != "" && !strings.Contains(found[0].reason, test.want) {
			t.Errorf("%+v: %+v", test.ledger, found)
		}
	}
}

func TestLedgerAsText(t *testing.T) {
	t.Parallel()
	at := time.Now()
	r := Report{Status: Healthy, Redis: Redis{Available: true, Durability: "appendonly yes"},
		Ledger: &document.Ledger{Accepted: 9, Completed: 3, Duplicate: 1, Failed: 1, Canceled: 1, Live: 1, Deleted: 1, Archived: 1, Complete: true, AuditedAt: &at},
		Caught: &Caught{LateFinishes: 2}}
	var b strings.Builder
	const want = "ledger   9 accepted = 3 completed + 1 duplicate + 1 failed + 1 canceled + 1 live + 1 deleted + 1 archived; 0 unaccounted for\n" +
		"         changes by other tools 0, late finishes refused 2, stray jobs found 0, stale entries dropped 0\n"
	if err := r.WriteText(&b); err != nil || !strings.Contains(b.String(), want) || !strings.Contains(b.String(), "  appendonly yes\n") {
		t.Errorf("%v\n%s", err, b.String())
	}
	r.Ledger.Complete = false
	b.Reset()
	if err := r.WriteText(&b); err != nil || !strings.Contains(b.String(), "are being counted") {
		t.Errorf("%v\n%s", err, b.String())
	}
}
