package pipeline

import (
	"context"
	"io"
	"iter"
	"path"
	"strings"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/extract"
	"github.com/docsvc/docsvc/pkg/objstore"
	"github.com/docsvc/docsvc/pkg/rq"
)

// points are the places at which a fault can be put in, each before and after
// the call it names, in the order in which a run passes them.
var points = []string{
	"begin", "get", "holder", "extract", "put text.md", "put chunks.jsonl", "put document.json",
	"complete", // the effects are made: next comes the finish script
	"record",   // after the finish: the first thing that is done is a look at the record
	"delete", "removed",
}

// faulty calls at before and after everything that the pipeline asks of
// others.
type faulty struct {
	Records
	Objects
	Extractor
	unpacker Unpacker
	at       func(point string)
}

// wrap puts at into a configuration.
func wrap(c *Config, at func(point string)) {
	f := &faulty{Records: c.Documents, Objects: c.Store, Extractor: c.Pool, unpacker: c.Attachments.From, at: at}
	c.Documents, c.Store, c.Pool, c.Attachments.From = f.records(), f.objects(), f, f
}

func (f *faulty) around(point string) func() {
	f.at("before " + point)
	return func() { f.at("after " + point) }
}

func (f *faulty) records() Records { return faultyRecords{f.Records, f} }
func (f *faulty) objects() Objects { return faultyObjects{f.Objects, f} }

func (f *faulty) Extract(ctx context.Context, r extract.Request, p func(extract.Progress)) (*extract.Document, error) {
	defer f.around("extract")()
	return f.Extractor.Extract(ctx, r, p)
}

func (f *faulty) Unpack(ctx context.Context, r extract.Request, format string, u extract.Unpacking, take func(extract.Carried) error) ([]string, error) {
	defer f.around("unpack")()
	return f.unpacker.Unpack(ctx, r, format, u, take)
}

type faultyRecords struct {
	Records
	f *faulty
}

func (r faultyRecords) Begin(ctx context.Context, j *rq.Job) (*document.Document, error) {
	defer r.f.around("begin")()
	return r.Records.Begin(ctx, j)
}

func (r faultyRecords) Child(ctx context.Context, d *document.Document, path string) (document.Child, error) {
	defer r.f.around("child")()
	return r.Records.Child(ctx, d, path)
}

func (r faultyRecords) TakeAttachment(ctx context.Context, d *document.Document, a document.Attachment, c document.Child, o objstore.Object) error {
	defer r.f.around("take")()
	return r.Records.TakeAttachment(ctx, d, a, c, o)
}

func (r faultyRecords) ClaimHolder(ctx context.Context, d *document.Document, a, b string) (string, error) {
	defer r.f.around("holder")()
	return r.Records.ClaimHolder(ctx, d, a, b)
}

func (r faultyRecords) Complete(d *document.Document, m *document.Manifest) ([]rq.Effect, []rq.Condition) {
	defer r.f.around("complete")()
	return r.Records.Complete(d, m)
}

func (r faultyRecords) OpenObject(ctx context.Context, d *document.Document, offset int64) (io.ReadCloser, objstore.Object, error) {
	defer r.f.around("get")()
	return r.Records.OpenObject(ctx, d, offset)
}

func (r faultyRecords) ProgressEffects(d *document.Document, p document.Progress) ([]rq.Effect, map[string]string) {
	defer r.f.around("progress")()
	return r.Records.ProgressEffects(d, p)
}

func (r faultyRecords) Record(ctx context.Context, id string) (*document.Document, error) {
	defer r.f.around("record")()
	return r.Records.Record(ctx, id)
}

func (r faultyRecords) UploadRemoved(ctx context.Context, d *document.Document) error {
	defer r.f.around("removed")()
	return r.Records.UploadRemoved(ctx, d)
}

type faultyObjects struct {
	Objects
	f *faulty
}

func (o faultyObjects) Get(ctx context.Context, key string, g objstore.GetOptions) (io.ReadCloser, objstore.Object, error) {
	defer o.f.around("get")()
	return o.Objects.Get(ctx, key, g)
}

func (o faultyObjects) Put(ctx context.Context, key string, r io.Reader, n int64, p objstore.PutOptions) (objstore.Object, error) {
	name := path.Base(key)
	if strings.HasPrefix(key, document.UploadsPrefix) {
		name = "attachment"
	}
	defer o.f.around("put " + name)()
	return o.Objects.Put(ctx, key, r, n, p)
}

func (o faultyObjects) List(ctx context.Context, prefix, after string) iter.Seq2[objstore.Object, error] {
	defer o.f.around("list")()
	return o.Objects.List(ctx, prefix, after)
}

func (o faultyObjects) Delete(ctx context.Context, keys ...string) map[string]error {
	defer o.f.around("delete")()
	return o.Objects.Delete(ctx, keys...)
}
