package s3server

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/rclone/gofakes3"
	"github.com/rs/zerolog"
)

// ListBucket implements gofakes3.Backend: keys in byte order, from after the
// page's marker, cut off at MaxKeys keys and common prefixes together.
//
// An empty delimiter, which clients send with every recursive listing, is
// none. (gofakes3's own Prefix.Match takes it for a delimiter between any two
// bytes and folds all keys into one common prefix; that is how its memory
// backend comes to list 1 of 25.)
func (s *store) ListBucket(ctx context.Context, bucket string, p *gofakes3.Prefix, page gofakes3.ListBucketPage) (*gofakes3.ObjectList, error) {
	if !s.hasBucket(bucket) {
		return nil, gofakes3.BucketNotFound(bucket)
	}
	l := &listing{ctx: ctx, log: s.log, out: gofakes3.NewObjectList(), marker: page.Marker, max: page.MaxKeys}
	if p != nil {
		l.prefix, l.delimiter = p.Prefix, p.Delimiter
	}
	err := l.walk(s.objectsDir(bucket), "")
	if err != nil && !errors.Is(err, errPageFull) {
		return nil, s.failed("listing a bucket", err)
	}
	return l.out, nil
}

var errPageFull = errors.New("page full")

// listing is one page in the making.
type listing struct {
	ctx               context.Context
	log               zerolog.Logger
	prefix, delimiter string
	marker            string // only what comes after it
	max               int64  // 0: no limit
	out               *gofakes3.ObjectList
	last              string // last key or common prefix taken
}

// walk visits the keys below dir, which all begin with base, in order.
func (l *listing) walk(dir, base string) error {
	entries, err := readEntries(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := l.ctx.Err(); err != nil {
			return err
		}
		key := base + e.suffix
		path := filepath.Join(dir, e.file)
		if e.kind == kindObject {
			err = l.object(path, key)
		} else {
			err = l.subtree(path, key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// subtree visits the keys that begin with base, unless none of them can be on
// the page.
func (l *listing) subtree(dir, base string) error {
	if !strings.HasPrefix(base, l.prefix) && !strings.HasPrefix(l.prefix, base) {
		return nil
	}
	if base < l.marker && !strings.HasPrefix(l.marker, base) {
		return nil
	}
	if common, ok := l.common(base); ok {
		if l.seen(common) {
			return nil
		}
		// With the marker inside, only the walk tells whether more follows it.
		if !strings.HasPrefix(l.marker, base) {
			some, err := anyObject(dir)
			if err != nil || !some {
				return err
			}
			return l.addPrefix(common)
		}
	}
	return l.walk(dir, base)
}

func (l *listing) object(path, key string) error {
	if key <= l.marker || !strings.HasPrefix(key, l.prefix) {
		return nil
	}
	if common, ok := l.common(key); ok {
		if l.seen(common) {
			return nil
		}
		return l.addPrefix(common)
	}
	i, err := statObject(path)
	var damaged *damagedError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil // deleted since its directory was read
	case errors.As(err, &damaged):
		// One bad file must not make the whole bucket unlistable. Reading it
		// answers an error.
		l.log.Error().Err(err).Msg("left a damaged object out of a listing")
		return nil
	case err != nil:
		return err
	}
	if err := l.room(); err != nil {
		return err
	}
	l.last = key
	l.out.Add(&gofakes3.Content{
		Key:          key,
		LastModified: gofakes3.NewContentTime(i.Modified),
		ETag:         `"` + i.MD5 + `"`,
		Size:         i.Size,
		StorageClass: gofakes3.StorageStandard,
	})
	return nil
}

// common returns the common prefix that key is folded into, if any.
func (l *listing) common(key string) (string, bool) {
	if l.delimiter == "" || !strings.HasPrefix(key, l.prefix) {
		return "", false
	}
	at := strings.Index(key[len(l.prefix):], l.delimiter)
	if at < 0 {
		return "", false
	}
	return key[:len(l.prefix)+at+len(l.delimiter)], true
}

// seen reports whether a common prefix is on this page already, or ended the
// page before: then it is the marker itself.
func (l *listing) seen(common string) bool {
	return common == l.last || common == l.marker
}

func (l *listing) addPrefix(common string) error {
	if err := l.room(); err != nil {
		return err
	}
	l.last = common
	l.out.AddPrefix(common)
	return nil
}

// room ends the page when it is full. It is asked for the first item that no
// longer fits, so that a page is only called truncated when more follows.
func (l *listing) room() error {
	if l.max > 0 && int64(len(l.out.Contents)+len(l.out.CommonPrefixes)) >= l.max {
		l.out.IsTruncated = true
		l.out.NextMarker = l.last
		return errPageFull
	}
	return nil
}

// anyObject reports whether there is an object below dir. Directories without
// one are left when a crash came between making a directory and filling it.
func anyObject(dir string) (bool, error) {
	entries, err := readEntries(dir)
	if err != nil {
		return false, err
	}
	for _, e := range entries {
		if e.kind == kindObject {
			return true, nil
		}
		some, err := anyObject(filepath.Join(dir, e.file))
		if some || err != nil {
			return some, err
		}
	}
	return false, nil
}
