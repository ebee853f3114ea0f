package ingest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path"
	"slices"
	"strings"

	"github.com/docsvc/docsvc/pkg/filewalk"
	"github.com/docsvc/docsvc/pkg/objstore"
)

// Candidate is something that may become a document.
type Candidate struct {
	// Path is what it is called here: a path, or an s3:// URL.
	Path string
	// Object is its key in the server's bucket; empty for a local file.
	Object string
	// Named is set when it stood on the command line itself.
	Named bool
	Size  int64 // bytes; -1 when it isn't known
	// Skip says why it isn't one, Err why that can't be told.
	Skip string
	Err  error
}

// Source yields candidates until there are no more or found fails.
type Source func(ctx context.Context, found func(Candidate) error) error

// Files yields what package filewalk finds below args.
func Files(args []string) Source {
	return func(ctx context.Context, found func(Candidate) error) error {
		return filewalk.Walk(ctx, args, func(e filewalk.Entry) error {
			c := Candidate{Path: e.Path, Named: e.Named, Skip: e.Skip, Err: e.Err}
			if e.Info != nil {
				c.Size = e.Info.Size()
			}
			return found(c)
		})
	}
}

// Object yields one object of the bucket, unseen.
func Object(bucket, key string) Source {
	return func(_ context.Context, found func(Candidate) error) error {
		return found(Candidate{Path: "s3://" + bucket + "/" + key, Object: key, Named: true, Size: -1})
	}
}

// Objects yields a listing of the bucket. ours are the beginnings of keys that
// are docsvc's own, which are left out.
func Objects(bucket, prefix string, listing iter.Seq2[objstore.Object, error], ours []string) Source {
	return func(ctx context.Context, found func(Candidate) error) error {
		n, own := 0, 0
		for o, err := range listing {
			if err != nil {
				return found(Candidate{Path: "s3://" + bucket + "/" + prefix, Named: true, Err: err})
			}
			if strings.HasSuffix(o.Key, "/") || slices.ContainsFunc(ours, func(begin string) bool { return strings.HasPrefix(o.Key, begin) }) {
				own++
				continue
			}
			n++
			if err := found(Candidate{Path: "s3://" + bucket + "/" + o.Key, Object: o.Key, Size: o.Size}); err != nil {
				return err
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if n == 0 {
			return found(Candidate{Path: "s3://" + bucket + "/" + prefix, Named: true, Err: nothing(prefix, own)})
		}
		return nil
	}
}

// nothing says that a listing had no object to take in, but own others.
func nothing(prefix string, own int) error {
	switch {
	case own > 0 && prefix == "":
		return errors.New("the bucket holds nothing but docsvc's own objects")
	case own > 0:
		return fmt.Errorf("nothing but docsvc's own objects begins with %s", prefix)
	case prefix == "":
		return errors.New("the bucket is empty")
	default:
		return fmt.Errorf("no object begins with %s", prefix)
	}
}

// All yields one source after the other.
func All(sources ...Source) Source {
	return func(ctx context.Context, found func(Candidate) error) error {
		for _, s := range sources {
			if err := s(ctx, found); err != nil {
				return err
			}
		}
		return nil
	}
}

// base is the name without directories.
func (c *Candidate) base() string {
	if c.Object != "" {
		return path.Base(c.Object)
	}
	return path.Base(c.Path)
}
