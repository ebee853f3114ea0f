package document

import (
	"context"
	"iter"
	"slices"

	"github.com/docsvc/docsvc/pkg/objstore"
)

// maxManifests bounds how many document.json of one document are looked at.
const maxManifests = 100

// remains is what the bucket has of one document.
type remains struct {
	id string
	// manifests are the executions whose document.json is there.
	manifests []string
	upload    *objstore.Object // the latest
	uploadID  string
	tooMany   bool   // more than maxManifests
	reason    string // why it could not be rebuilt
}

// has reports whether that execution's document.json is there.
func (g *remains) has(execution string) bool { return slices.Contains(g.manifests, execution) }

// walk calls f with each document of the bucket, in the order of the ids. It
// reads two listings side by side, a page of each at a time.
func (b *rebuild) walk(ctx context.Context, f func(*remains) error) error {
	artifacts, stopArtifacts := b.listing(ctx, DocumentPrefix(b.o.ID), DocumentsPrefix, artifactID)
	defer stopArtifacts()
	uploads, stopUploads := b.listing(ctx, UploadsPrefix+b.o.ID+"/", UploadsPrefix, uploadID)
	defer stopUploads()
	for {
		id, err := first(artifacts, uploads)
		if err != nil || id == "" {
			return err
		}
		g := &remains{id: id}
		if err := artifacts.each(id, g.artifact); err != nil {
			return err
		}
		if err := uploads.each(id, g.uploaded); err != nil {
			return err
		}
		if err := f(g); err != nil {
			return err
		}
	}
}

func artifactID(key string) (string, bool) {
	id, _, _, ok := ParseArtifactKey(key)
	return id, ok
}

func uploadID(key string) (string, bool) {
	id, upload, ok := ParseUploadKey(key)
	return id, ok && validID(upload)
}

func (g *remains) artifact(o objstore.Object) {
	_, execution, name, _ := ParseArtifactKey(o.Key)
	switch {
	case name != ManifestName:
	case len(g.manifests) == maxManifests:
		g.tooMany = true
	default:
		g.manifests = append(g.manifests, execution)
	}
}

func (g *remains) uploaded(o objstore.Object) {
	if g.upload == nil || o.LastModified.After(g.upload.LastModified) {
		_, g.uploadID, _ = ParseUploadKey(o.Key)
		g.upload = &o
	}
}

// lister reads the objects of a prefix one after the other, of those that
// are docsvc's.
type lister struct {
	next func() (objstore.Object, error, bool)
	idOf func(key string) (string, bool)

	read bool // head, id and err are of the next object
	head objstore.Object
	id   string // of its document; "" at the end
	err  error
}

// listing opens the listing of one document, or with no ID of all.
func (b *rebuild) listing(ctx context.Context, one, all string, idOf func(string) (string, bool)) (*lister, func()) {
	prefix := all
	if b.o.ID != "" {
		prefix = one
	}
	next, stop := iter.Pull2(b.s.store.List(ctx, prefix, ""))
	return &lister{next: next, idOf: idOf}, stop
}

// peek returns the document of the next object, "" at the end.
func (l *lister) peek() (string, error) {
	for !l.read {
		o, err, ok := l.next()
		switch {
		case !ok:
			l.id, l.read = "", true
		case err != nil:
			l.err, l.read = storageError("listing the bucket", err), true
		default:
			l.head = o
			l.id, l.read = l.idOf(o.Key)
		}
	}
	return l.id, l.err
}

// each calls f with the next objects that are of that document.
func (l *lister) each(id string, f func(objstore.Object)) error {
	for {
		next, err := l.peek()
		if err != nil || next != id {
			return err
		}
		f(l.head)
		l.read = false
	}
}

// first returns the document that comes first in two listings.
func first(a, b *lister) (string, error) {
	x, err := a.peek()
	if err != nil {
		return "", err
	}
	y, err := b.peek()
	if err != nil || x == "" || y != "" && y < x {
		return y, err
	}
	return x, nil
}
