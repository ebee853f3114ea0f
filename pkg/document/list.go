package document

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/rq"
)

// Limits of a page of documents.
const (
	DefaultPage = 20
	MaxPage     = 100
	// maxLooked is how many documents one page looks at: a search that finds
	// nothing among a million gives a cursor after each so many.
	maxLooked = 5000
	// listBatch is how many of them are read in one round trip.
	listBatch = 500
)

//go:embed lua/after.lua
var afterLua string

var afterScript = redis.NewScript(afterLua)

// ListQuery says which documents to list. Filters that are empty let all pass.
type ListQuery struct {
	Status State
	Tag    string // exactly as given with the document
	Search string // each of its words begins a word of title or file name
	SHA256 string // of the file, hexadecimal
	Limit  int    // 1 to MaxPage; 0: DefaultPage
	Cursor string // NextCursor of the page before
}

// DocumentPage is a piece of a list, the newest documents first. A page may
// have fewer documents than asked for, or none, and still not be the last.
type DocumentPage struct {
	Documents  []*Document `json:"documents"`
	NextCursor string      `json:"next_cursor"` // "" at the end
	// Total counts all that the filters let pass; nil where that is not known
	// without looking at them.
	Total *int64 `json:"total"`
}

// filter is a ListQuery that was checked. It serves one goroutine.
type filter struct {
	status      State
	tag, search string
	words       []string // of search
	folder      *folder  // compares them
	sum         string
}

// filter checks a query. Errors: Invalid with the field.
func (q ListQuery) filter() (filter, error) {
	f := filter{status: q.Status, tag: strings.TrimSpace(q.Tag), search: strings.TrimSpace(q.Search), folder: newFolder()}
	if q.Limit < 1 || q.Limit > MaxPage {
		return f, invalid("limit", "limit must be between 1 and %d, got %d.", MaxPage, q.Limit)
	}
	if f.status != "" && !slices.Contains(States(), f.status) {
		return f, invalid("status", "status must be one of %s, got %s.", stateNames(), printable(string(f.status)))
	}
	if err := validText("tag", f.tag, MaxTag); err != nil {
		return f, err
	}
	if err := validText("search", f.search, maxSearch); err != nil {
		return f, err
	}
	if f.words = searchWords(f.search); f.search != "" && len(f.words) == 0 {
		return f, invalid("search", "search must have a letter or a digit, got %s.", printable(f.search))
	}
	sum, err := validSHA256("sha256", q.SHA256)
	f.sum = sum
	return f, err
}

func stateNames() string {
	var names []string
	for _, s := range States() {
		names = append(names, string(s))
	}
	return strings.Join(names, ", ")
}

// lets reports whether a record passes all filters.
func (f filter) lets(d *Document) bool {
	return (f.status == "" || d.Status == f.status) &&
		(f.tag == "" || slices.Contains(d.Tags, f.tag)) &&
		(f.sum == "" || d.SHA256 == f.sum || d.FileHash == f.sum || d.UploadHash == f.sum) &&
		(len(f.words) == 0 || f.folder.found(f.words, d.Title, d.Filename))
}

// List returns a page of the documents that pass the filters, the newest
// first. Documents added or deleted meanwhile neither repeat nor hide others.
// A page looks at up to 5,000 documents; a record that can't be read is logged
// and left out. Archived documents are not listed. Errors: Invalid with the
// field, Unavailable.
func (s *Service) List(ctx context.Context, q ListQuery) (*DocumentPage, error) {
	if q.Limit == 0 {
		q.Limit = DefaultPage
	}
	f, err := q.filter()
	if err != nil {
		return nil, err
	}
	from, err := f.place(q.Cursor)
	if err != nil {
		return nil, err
	}
	if f.sum != "" {
		return s.listHolders(ctx, f, from, q.Limit)
	}
	l := &listing{s: s, filter: f, limit: q.Limit, at: from, page: &DocumentPage{Documents: []*Document{}}}
	if err := l.choose(ctx); err != nil {
		return nil, err
	}
	more, err := l.fill(ctx)
	if err != nil {
		return nil, err
	}
	if more {
		l.page.NextCursor = f.cursor(l.at)
	}
	return l.page, nil
}

// listHolders lists the documents that have or are to have these bytes. At
// most two are known by them: the completed one and the last one declared.
func (s *Service) listHolders(ctx context.Context, f filter, from place, limit int) (*DocumentPage, error) {
	values, err := s.rdb.MGet(ctx, s.k.sha256(DefaultOwner, f.sum), s.k.file(DefaultOwner, f.sum)).Result()
	if err != nil {
		return nil, redisError("looking for documents by sha256", err)
	}
	var ids []string
	for _, v := range values {
		if id, _ := v.(string); validID(id) && (from.id == "" || id < from.id) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	slices.Reverse(ids)
	list, err := s.passing(ctx, f, ids)
	if err != nil {
		return nil, err
	}
	page := &DocumentPage{Documents: list[:min(limit, len(list))]}
	if len(list) > limit {
		last := list[limit-1]
		page.NextCursor = f.cursor(place{id: last.ID, score: score(last.ID, last.CreatedAt)})
	}
	return page, nil
}

// passing reads records and returns those that are there and pass the filters,
// in the order of the ids.
func (s *Service) passing(ctx context.Context, f filter, ids []string) ([]*Document, error) {
	list := make([]*Document, 0, len(ids))
	pipe := s.rdb.Pipeline()
	replies := make([]*redis.MapStringStringCmd, len(ids))
	for i, id := range ids {
		replies[i] = pipe.HGetAll(ctx, s.k.document(id))
	}
	_, failed := pipe.Exec(ctx)
	for i, id := range ids {
		hash, err := replies[i].Result()
		if err := s.listError(ctx, failed, err); err != nil {
			return nil, err
		}
		var d *Document
		if err == nil {
			d, err = parse(id, hash)
		}
		var e *Error
		switch {
		case errors.As(err, &e) && e.Kind == NotFound: // deleted, and its entry in an index is left
		case err != nil:
			s.c.Log.Warn().Err(err).Str("document", id).Msg("left out of a list: its record can't be read")
		case f.lets(d):
			list = append(list, d)
		}
	}
	return list, nil
}

// listError tells an error of the whole round trip from that of one command:
// a record that is of another type must not hide all others.
func (s *Service) listError(ctx context.Context, trip, command error) error {
	var refused redis.Error
	if command == nil || errors.Is(command, redis.Nil) || errors.As(command, &refused) && !rq.IsUnavailable(command) && ctx.Err() == nil {
		return nil
	}
	return redisError("reading documents", errors.Join(command, trip))
}

// listing fills one page.
type listing struct {
	filter
	s     *Service
	limit int
	page  *DocumentPage
	at    place // the last document that was looked at

	index  string   // the sorted set that is gone through
	fields []string // of each record that the index does not answer for
}

// choose takes the smallest index that holds all that can pass, and counts
// where a count needs no look at the documents.
func (l *listing) choose(ctx context.Context) error {
	k := l.s.k
	indexes := []string{k.all()}
	if l.status != "" {
		indexes = append(indexes, k.byState(l.status))
	}
	if l.tag != "" {
		indexes = append(indexes, k.byTag(l.tag))
	}
	pipe := l.s.rdb.Pipeline()
	sizes := make([]*redis.IntCmd, len(indexes))
	for i, index := range indexes {
		sizes[i] = pipe.ZCard(ctx, index)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return redisError("counting documents", err)
	}
	best := len(indexes) - 1
	for i := 1; i < len(indexes); i++ {
		if sizes[i].Val() < sizes[best].Val() {
			best = i
		}
	}
	l.index = indexes[best]
	if l.status != "" && l.index != k.byState(l.status) {
		l.fields = append(l.fields, "status")
	}
	if l.tag != "" && l.index != k.byTag(l.tag) {
		l.fields = append(l.fields, "tags")
	}
	if len(l.words) > 0 {
		l.fields = append(l.fields, "title", "filename")
	}
	if len(l.fields) == 0 {
		l.page.Total = new(sizes[best].Val())
	}
	return nil
}

// fill looks at documents until the page is full, the index ends or enough was
// looked at. It reports whether there may be more.
func (l *listing) fill(ctx context.Context) (more bool, err error) {
	for looked := 0; looked < maxLooked; {
		// More and more: a search that finds something everywhere ends soon.
		n := min(max(2*l.limit, looked), listBatch, maxLooked-looked)
		if len(l.fields) == 0 && looked == 0 {
			n = l.limit + 1 // one more than needed, to see whether there is one
		}
		batch, err := l.next(ctx, n)
		if err != nil {
			return false, err
		}
		looked += len(batch)
		candidates, err := l.candidates(ctx, batch)
		if err != nil {
			return false, err
		}
		for len(candidates) > 0 {
			some := candidates[:min(len(candidates), l.limit-len(l.page.Documents))]
			candidates = candidates[len(some):]
			if err := l.take(ctx, some); err != nil {
				return false, err
			}
			if l.at = some[len(some)-1]; len(l.page.Documents) == l.limit {
				return l.at != batch[len(batch)-1] || len(batch) == n, nil
			}
		}
		if len(batch) < n {
			return false, nil
		}
		l.at = batch[len(batch)-1]
	}
	return true, nil
}

// next returns up to n places of the index after the present one.
func (l *listing) next(ctx context.Context, n int) ([]place, error) {
	args := []any{n}
	if l.at.id != "" {
		args = append(args, strconv.FormatFloat(l.at.score, 'f', -1, 64), l.at.id)
	}
	flat, err := afterScript.Run(ctx, l.s.rdb, []string{l.index}, args...).StringSlice()
	if err != nil {
		return nil, redisError("listing documents", err)
	}
	places := make([]place, 0, len(flat)/2)
	for i := 0; i+1 < len(flat); i += 2 {
		score, err := strconv.ParseFloat(flat[i+1], 64)
		if err != nil {
			return nil, fmt.Errorf("listing documents: score %.64q of %.64q", flat[i+1], flat[i])
		}
		places = append(places, place{id: flat[i], score: score})
	}
	return places, nil
}

// candidates returns those that pass as far as the filtered fields tell. Only
// these fields are read of documents that don't pass.
func (l *listing) candidates(ctx context.Context, batch []place) ([]place, error) {
	if len(l.fields) == 0 || len(batch) == 0 {
		return batch, nil
	}
	pipe := l.s.rdb.Pipeline()
	replies := make([]*redis.SliceCmd, len(batch))
	for i, p := range batch {
		replies[i] = pipe.HMGet(ctx, l.s.k.document(p.id), l.fields...)
	}
	_, failed := pipe.Exec(ctx)
	var passed []place
	for i, p := range batch {
		values, err := replies[i].Result()
		if err := l.s.listError(ctx, failed, err); err != nil {
			return nil, err
		}
		if err != nil || l.mayPass(values) {
			passed = append(passed, p) // also what can't be read: take says so
		}
	}
	return passed, nil
}

// mayPass decides by the values of l.fields.
func (l *listing) mayPass(values []any) bool {
	var d Document
	for i, field := range l.fields {
		text, _ := values[i].(string)
		switch field {
		case "status":
			d.Status = State(text)
		case "tags":
			if text != "" && json.Unmarshal([]byte(text), &d.Tags) != nil {
				return true // can't be read: take says so
			}
		case "title":
			d.Title = text
		case "filename":
			d.Filename = text
		}
	}
	return (!slices.Contains(l.fields, "status") || d.Status == l.status) &&
		(!slices.Contains(l.fields, "tags") || slices.Contains(d.Tags, l.tag)) &&
		(len(l.words) == 0 || l.folder.found(l.words, d.Title, d.Filename))
}

// take reads whole records onto the page.
func (l *listing) take(ctx context.Context, places []place) error {
	ids := make([]string, len(places))
	for i, p := range places {
		ids[i] = p.id
	}
	list, err := l.s.passing(ctx, l.filter, ids)
	l.page.Documents = append(l.page.Documents, list...)
	return err
}
