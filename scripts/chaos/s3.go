package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/rs/zerolog"

	"github.com/docsvc/docsvc/pkg/standalone/s3server"
)

// objectsAge is how much older objects look than they are, so that the cleanup
// at the end, which spares what is younger than an hour, may look at them.
const objectsAge = 2 * time.Hour

// runS3 is the S3 server as a process of its own: chaos s3 ADDR DIR.
func runS3(addr, dir string) error {
	s, err := s3server.Start(context.Background(), s3server.Options{
		AccessKey: accessKey, SecretKey: secretKey, Addr: addr, Buckets: []string{bucket}, Dir: dir,
		Clock: func() time.Time { return time.Now().Add(-objectsAge) }, Log: zerolog.New(os.Stderr).Level(zerolog.WarnLevel),
	})
	if err != nil {
		return err
	}
	<-s.Done()
	return fmt.Errorf("the S3 server ended: %w", s.Err())
}
