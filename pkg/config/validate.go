package config

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/viper"

	"github.com/docsvc/docsvc/pkg/extract/ocr"
)

// checkKeys refuses keys of the file that docsvc doesn't know, with the
// nearest one it does.
func checkKeys(v *viper.Viper, file string) error {
	var known []string
	for _, k := range Keys() {
		known = append(known, k.Name)
	}
	for _, key := range v.AllKeys() {
		if slices.Contains(known, key) || key == "queues" {
			continue
		}
		problem := "unknown key"
		if near := nearest(key, known); near != "" {
			problem += "; did you mean " + near + "?"
		} else {
			problem += "; configs/docsvc.yaml lists them all"
		}
		return &Error{Key: key, Origin: "file " + file, Problem: problem}
	}
	return nil
}

// nearest returns the known key with the smallest edit distance, when that is
// small enough to be a slip of the pen.
func nearest(key string, known []string) string {
	best, found := 1+len(key)/3, ""
	for _, k := range known {
		d := distance(key, k)
		if _, last, ok := strings.Cut(k, "."); ok && last == key {
			d = 1
		}
		if d < best {
			best, found = d, k
		}
	}
	return found
}

func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}

func (c *Config) validate() error {
	if err := c.validateRedis(); err != nil {
		return err
	}
	checks := []struct {
		key string
		bad string
	}{
		{"redis.namespace", badNamespace(c.Redis.Namespace)},
		{"storage.endpoint", badEndpoint(c.Storage.Endpoint, true)},
		{"storage.public_endpoint", badEndpoint(c.Storage.PublicEndpoint, false)},
		{"storage.bucket", required(c.Storage.Bucket)},
		{"storage.path_style", oneOf(c.Storage.PathStyle, "auto", "true", "false")},
		{"server.addr", badAddr(c.Server.Addr)},
		{"server.shutdown_grace", atLeast(c.Server.ShutdownGrace, 0)},
		{"uploads.url_ttl", between(c.Uploads.URLTTL, time.Second, 7*24*time.Hour)},
		{"uploads.max_size", sizeBetween(c.Uploads.MaxSize, 1, 5<<30)},
		{"uploads.failed_ttl", atLeast(c.Uploads.FailedTTL, time.Second)},
		{"documents.retention", badRetention(c.Documents.Retention)},
		{"attachments.max_depth", intBetween(c.Attachments.MaxDepth, 1, 20)},
		{"attachments.max_files", intBetween(c.Attachments.MaxFiles, 1, 1000)},
		{"attachments.max_size", sizeBetween(c.Attachments.MaxSize, 1<<10, 64<<20)},
		{"worker.concurrency", intBetween(c.Worker.Concurrency, 1, 256)},
		{"worker.shutdown_grace", atLeast(c.Worker.ShutdownGrace, 0)},
		{"worker.unknown", oneOf(c.Worker.Unknown, "fail", "stop")},
		{"extract.timeout", atLeast(c.Extract.Timeout, time.Second)},
		{"extract.progress_timeout", atLeast(c.Extract.ProgressTimeout, time.Second)},
		{"extract.memory", sizeBetween(c.Extract.Memory, 128<<20, 1<<40)},
		{"extract.max_text", sizeBetween(c.Extract.MaxText, 1<<20, 4<<30)},
		{"extract.max_pages", intBetween(c.Extract.MaxPages, 1, 1_000_000)},
		{"extract.max_expanded", sizeBetween(c.Extract.MaxExpanded, 1<<20, 1<<40)},
		{"extract.max_parts", intBetween(c.Extract.MaxParts, 1, 10_000_000)},
		{"extract.max_nesting", intBetween(c.Extract.MaxNesting, 32, 10_000)},
		{"extract.max_ratio", intBetween(c.Extract.MaxRatio, 1, 1032)},
		{"extract.max_pixels", intBetween(c.Extract.MaxPixels, 1_000_000, 1_000_000_000)},
		{"extract.ocr_program", required(c.Extract.OCRProgram)},
		{"extract.ocr_languages", badLanguages(c.Extract.OCRLanguages)},
		{"extract.ocr_page_timeout", atLeast(c.Extract.OCRPageTimeout, time.Second)},
		{"extract.ocr_timeout", atLeast(c.Extract.OCRTimeout, time.Second)},
		{"extract.recycle_after", intBetween(c.Extract.RecycleAfter, 1, 1_000_000)},
		{"chunks.max_tokens", intBetween(c.Chunks.MaxTokens, 50, 8000)},
		{"chunks.overlap", intBetween(c.Chunks.Overlap, 0, c.Chunks.MaxTokens/2)},
		{"cleanup.older_than", wholeHours(c.Cleanup.OlderThan)},
		{"cleanup.daily_at", badClock(c.Cleanup.DailyAt)},
		{"log.level", oneOf(c.Log.Level, "debug", "info", "warn", "error")},
		{"log.format", oneOf(c.Log.Format, "auto", "json", "console")},
	}
	for _, check := range checks {
		if check.bad != "" {
			return &Error{Key: check.key, Origin: c.Origins[check.key], Problem: check.bad}
		}
	}
	if c.Storage.AccessKey != "" && c.Storage.SecretKey == "" && c.Storage.SecretKeyFile == "" {
		return &Error{Key: "storage.access_key", Origin: c.Origins["storage.access_key"],
			Problem: "needs storage.secret_key_file (or " + EnvName("storage.secret_key") + ")"}
	}
	return nil
}

func badNamespace(s string) string {
	if s == "" || strings.HasPrefix(s, "rq:") || strings.ContainsAny(s, " \t\r\n{}") {
		return fmt.Sprintf("%q can't be used: it must not be empty, begin with rq: or hold blanks or braces", s)
	}
	return ""
}

func badEndpoint(s string, need bool) string {
	if s == "" && !need {
		return ""
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Path != "" && u.Path != "/" || u.User != nil {
		return "not an endpoint: write it as http://host:port, without a path or credentials"
	}
	return ""
}

func badLanguages(s string) string {
	if _, err := ocr.ParseLanguages(s); err != nil {
		return err.Error()
	}
	return ""
}

func badAddr(s string) string {
	if _, port, err := net.SplitHostPort(s); err != nil || port == "" {
		return fmt.Sprintf("%q is no address: write it as 127.0.0.1:8000", s)
	}
	return ""
}

func badClock(s string) string {
	if _, err := time.Parse("15:04", s); s != "" && err != nil {
		return fmt.Sprintf("%q is no time of day: write it as 02:00", s)
	}
	return ""
}

func required(s string) string {
	if s == "" {
		return "must not be empty"
	}
	return ""
}

func oneOf(s string, allowed ...string) string {
	if !slices.Contains(allowed, s) {
		return fmt.Sprintf("%q is not one of %s", s, strings.Join(allowed, ", "))
	}
	return ""
}

func atLeast(d, least time.Duration) string {
	if d < least {
		return fmt.Sprintf("must be at least %s, not %s", least, d)
	}
	return ""
}

func badRetention(d time.Duration) string {
	if d != 0 && d < 24*time.Hour {
		return fmt.Sprintf("must be 0 (never) or at least 24h, not %s", d)
	}
	return ""
}

func wholeHours(d time.Duration) string {
	if d < time.Hour || d%time.Hour != 0 {
		return fmt.Sprintf("must be a whole number of hours of at least 1h, not %s", d)
	}
	return ""
}

func between(d, least, most time.Duration) string {
	if d < least || d > most {
		return fmt.Sprintf("must be %s to %s, not %s", least, most, d)
	}
	return ""
}

func intBetween(n, least, most int) string {
	if n < least || n > most {
		return fmt.Sprintf("must be %d to %d, not %d", least, most, n)
	}
	return ""
}

func sizeBetween(n, least, most Size) string {
	if n < least || n > most {
		return fmt.Sprintf("must be %s to %s, not %s", least, most, n)
	}
	return ""
}

// Loopback reports whether addr listens on this machine only.
func Loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
