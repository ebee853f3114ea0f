package s3test

import (
	"net/http"
	"testing"

	"github.com/rs/zerolog"

	"github.com/docsvc/docsvc/pkg/standalone/s3server"
)

// newStore is the store of standalone mode, below the test's own directory.
func newStore(t testing.TB, accessKey, secretKey, bucket string) (http.Handler, error) {
	return s3server.Open(s3server.Options{
		AccessKey: accessKey,
		Buckets:   []string{bucket},
		Dir:       t.TempDir(),
		Log:       zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.InfoLevel),
		SecretKey: secretKey,
	})
}
