package s3test

import (
	"context"
	"net/http"
	"testing"

	"github.com/rclone/gofakes3"
	"github.com/rclone/gofakes3/s3mem"
)

func newStore(_ testing.TB, accessKey, secretKey, bucket string) (http.Handler, error) {
	backend := memory{s3mem.New()}
	if err := backend.CreateBucket(context.Background(), bucket); err != nil {
		return nil, err
	}
	return gofakes3.New(backend, gofakes3.WithV4Auth(map[string]string{accessKey: secretKey})).Server(), nil
}

// memory keeps objects in memory. An empty delimiter, which minio-go sends
// with every recursive listing, means none.
type memory struct{ *s3mem.Backend }

func (m memory) ListBucket(ctx context.Context, name string, p *gofakes3.Prefix, page gofakes3.ListBucketPage) (*gofakes3.ObjectList, error) {
	if p != nil && p.Delimiter == "" {
		p = &gofakes3.Prefix{HasPrefix: p.HasPrefix, Prefix: p.Prefix}
	}
	return m.Backend.ListBucket(ctx, name, p, page)
}
