package document

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

// TestCatalogAtScale measures listing, searching and changing documents beside
// so many of them as BENCH_DOCUMENTS lists ("1000,1000000"), and prints a table.
// It asserts nothing of times: see scripts/bench-documents.
func TestCatalogAtScale(t *testing.T) {
	sizes := os.Getenv("BENCH_DOCUMENTS")
	if sizes == "" {
		t.Skip("BENCH_DOCUMENTS is not set")
	}
	var columns []*measurement
	for text := range strings.SplitSeq(sizes, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 100 {
			t.Fatalf("BENCH_DOCUMENTS must be numbers from 100 on, got %q", text)
		}
		t.Run(text, func(t *testing.T) {
			f := newFixture(t, startRedis(t), nil)
			m := &measurement{f: f, n: n, took: map[string]time.Duration{}}
			m.fill()
			m.measure()
			columns = append(columns, m)
		})
	}
	t.Log("\n" + table(columns))
}

// measurement is one column of the table.
type measurement struct {
	f     *fixture
	n     int
	rows  []string
	took  map[string]time.Duration // per call, the median
	bytes int64                    // of Redis's memory, per document
	pages map[string]int           // of the walks
}

// fill writes n documents with the fields, index entries and claims that one
// has which went through presign, process and a worker. Of each hundred 94 are
// completed, 4 failed and 2 wait for their upload; they are made within a year.
func (m *measurement) fill() {
	f, ctx := m.f, m.f.t.Context()
	// The last is what docs/operations.md advises; it is the name that all versions know.
	for _, setting := range [][2]string{{"appendonly", "no"}, {"save", ""}, {"hash-max-ziplist-value", "128"}} {
		if err := f.rdb.ConfigSet(ctx, setting[0], setting[1]).Err(); err != nil {
			f.t.Fatal(err)
		}
	}
	template := m.template()
	before := usedMemory(f)
	began := f.clock.now().Add(-365 * 24 * time.Hour)
	step := 364 * 24 * time.Hour / time.Duration(m.n)
	pipe := f.rdb.Pipeline()
	for i := range m.n {
		m.write(ctx, pipe, template, i, began.Add(step*time.Duration(i)))
		if pipe.Len() >= 10_000 || i == m.n-1 {
			if _, err := pipe.Exec(ctx); err != nil {
				f.t.Fatal(err)
			}
		}
	}
	m.bytes = (usedMemory(f) - before) / int64(m.n)
}

// template is the record of a document that was really completed, and nothing
// of it is left.
func (m *measurement) template() map[string]string {
	f, ctx := m.f, m.f.t.Context()
	up := f.presign(5, nil)
	f.put(up, "hello")
	f.process(up, nil)
	d, _ := f.complete(strings.Repeat("1", 64), strings.Repeat("2", 64))
	if err := f.UploadRemoved(ctx, d); err != nil {
		f.t.Fatal(err)
	}
	record, err := f.rdb.HGetAll(ctx, f.k.document(d.ID)).Result()
	if err != nil {
		f.t.Fatal(err)
	}
	if err := f.rdb.FlushDB(ctx).Err(); err != nil {
		f.t.Fatal(err)
	}
	return record
}

func (m *measurement) write(ctx context.Context, pipe redis.Pipeliner, template map[string]string, i int, at time.Time) {
	k := m.f.k
	id, err := newID(at)
	if err != nil {
		m.f.t.Fatal(err)
	}
	sum := func(kind string) string { return fmt.Sprintf("%s%062x", kind, i) }
	status := Completed
	switch {
	case i%25 == 3:
		status = Failed
	case i%50 == 7:
		status = AwaitingUpload
	}
	title := fmt.Sprintf("Relatório mensal %d da obra %d", i%12+1, i%1000)
	if i%max(m.n/10, 1) == 0 {
		title = "Alvará " + title // ten of all
	}
	tags := []string{fmt.Sprintf("year-%d", at.Year()), fmt.Sprintf("obra-%d", i%100)}
	record := maps.Clone(template)
	maps.Copy(record, map[string]string{"status": string(status), "created_at": stamp(at), "updated_at": stamp(at), "queued_at": stamp(at),
		"started_at": stamp(at), "finished_at": stamp(at), "upload_expires_at": stamp(at.Add(time.Hour)), "filename": fmt.Sprintf("relatorio-%07d.pdf", i),
		"title": title, "tags": list(tags), "upload_id": uuid.NewString(), "upload_key": UploadKey(id, uuid.NewString()), "job_id": uuid.NewString(),
		"execution_id": strings.ReplaceAll(uuid.NewString(), "-", ""), "sha256": sum("aa"), "text_sha256": sum("bb"), "file_hash": sum("aa")})
	pipe.HSet(ctx, k.document(id), record)
	entry := redis.Z{Score: float64(at.UnixMilli()), Member: id}
	for _, index := range []string{k.all(), k.byState(status), k.byOwner(DefaultOwner), k.byTag(tags[0]), k.byTag(tags[1])} {
		pipe.ZAdd(ctx, index, entry)
	}
	if status == Completed {
		pipe.Set(ctx, k.sha256(DefaultOwner, sum("aa")), id, 0)
		pipe.Set(ctx, k.text(DefaultOwner, sum("bb")), id, 0)
	}
}

func usedMemory(f *fixture) int64 {
	f.t.Helper()
	info, err := f.rdb.InfoMap(f.t.Context(), "memory").Result()
	if err != nil {
		f.t.Fatal(err)
	}
	n, err := strconv.ParseInt(info["Memory"]["used_memory"], 10, 64)
	if err != nil {
		f.t.Fatal(err)
	}
	return n
}

// measure times each call several times, and each walk to the end once.
func (m *measurement) measure() {
	f, ctx := m.f, m.f.t.Context()
	m.pages = map[string]int{}
	at := func(rank int64) (id, cursor string) {
		z := f.rdb.ZRevRangeWithScores(ctx, f.k.all(), rank, rank).Val()[0]
		id = z.Member.(string)
		return id, filter{}.cursor(place{id: id, score: z.Score})
	}
	middle, deep := at(int64(m.n / 2))
	_, last := at(int64(m.n - 50))
	m.time("list, first page of 20", func() { f.list(ListQuery{}) })
	m.time("list, first page of 100", func() { f.list(ListQuery{Limit: 100}) })
	m.time("list, page in the middle", func() { f.list(ListQuery{Cursor: deep}) })
	m.time("list, page at the end", func() { f.list(ListQuery{Cursor: last}) })
	m.time("status=failed (4 %)", func() { f.list(ListQuery{Status: Failed}) })
	m.time("tag (1 %)", func() { f.list(ListQuery{Tag: "obra-3"}) })
	m.time("tag and status", func() { f.list(ListQuery{Tag: "obra-3", Status: Failed}) })
	m.time("sha256", func() { f.list(ListQuery{SHA256: "aa" + strings.Repeat("0", 61) + "1"}) })
	m.time("search of a word in all", func() { f.list(ListQuery{Search: "relatorio"}) })
	m.time("search of a word in ten", func() { f.list(ListQuery{Search: "alvara"}) })
	m.time("search of a word in none", func() { f.list(ListQuery{Search: "planta"}) })
	m.walk("search of a word in ten, to the end", ListQuery{Search: "alvara"}, 10)
	m.walk("search of a word in none, to the end", ListQuery{Search: "planta"}, 0)
	m.time("get", func() { f.get(middle) })
	m.time("change title and tags", func() {
		title := uuid.NewString()
		if _, err := f.Patch(ctx, middle, Patch{Title: &title, Tags: &[]string{title}}); err != nil {
			f.t.Fatal(err)
		}
	})
	m.time("stats", func() { f.stats() })
}

// time calls for a second, at least five times, and keeps the median.
func (m *measurement) time(row string, call func()) {
	var took []time.Duration
	call() // connections and scripts
	for began := time.Now(); len(took) < 5 || time.Since(began) < time.Second && len(took) < 200; {
		from := time.Now()
		call()
		took = append(took, time.Since(from))
	}
	slices.Sort(took)
	m.rows, m.took[row] = append(m.rows, row), took[len(took)/2]
}

func (m *measurement) walk(row string, q ListQuery, want int) {
	began, n, pages := time.Now(), 0, 0
	for {
		page := m.f.list(q)
		n, pages = n+len(page.Documents), pages+1
		if q.Cursor = page.NextCursor; q.Cursor == "" {
			break
		}
	}
	if n != want {
		m.f.t.Errorf("%s: %d documents, want %d", row, n, want)
	}
	m.rows, m.took[row], m.pages[row] = append(m.rows, row), time.Since(began), pages
}

// table is Markdown, with the ratio of the last column to the first.
func table(columns []*measurement) string {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 1, ' ', 0)
	first, last := columns[0], columns[len(columns)-1]
	head, line := "| call\t", "|---\t"
	for _, m := range columns {
		head, line = head+fmt.Sprintf("| %d documents\t", m.n), line+"|---:\t"
	}
	fmt.Fprintln(w, head+"| ratio\t|\n"+line+"|---:\t|")
	for _, row := range first.rows {
		fmt.Fprintf(w, "| %s\t", row)
		for _, m := range columns {
			text := fmt.Sprintf("%.2f ms", float64(m.took[row].Microseconds())/1000)
			if pages := m.pages[row]; pages > 0 {
				text = fmt.Sprintf("%.2f s, %d pages", m.took[row].Seconds(), pages)
			}
			fmt.Fprintf(w, "| %s\t", text)
		}
		fmt.Fprintf(w, "| %.1f\t|\n", float64(last.took[row])/float64(first.took[row]))
	}
	fmt.Fprint(w, "| Redis memory per document\t")
	for _, m := range columns {
		fmt.Fprintf(w, "| %.2f KiB\t", float64(m.bytes)/1024)
	}
	fmt.Fprintf(w, "| %.1f\t|\n", float64(last.bytes)/float64(first.bytes))
	_ = w.Flush() // into memory
	return b.String()
}
