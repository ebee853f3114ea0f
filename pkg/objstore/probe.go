package objstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Probe tries with a small object of its own all that docsvc does: put, read
// back, presigned upload through the public endpoint, and delete. The error
// says which step failed.
func (s *Store) Probe(ctx context.Context) (err error) {
	key := "probe/" + rand.Text()
	defer func() {
		// The probe must not stay, also when a step failed or ctx ended.
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		if failed := s.Delete(clean, key); len(failed) > 0 && err == nil {
			err = fmt.Errorf("deleting an object: %w", failed[key])
		}
	}()
	body := []byte("docsvc probe\n")
	if _, err := s.Put(ctx, key, bytes.NewReader(body), int64(len(body)), PutOptions{ContentType: "text/plain"}); err != nil {
		return fmt.Errorf("storing an object: %w", err)
	}
	if err := s.probeRead(ctx, key, body); err != nil {
		return fmt.Errorf("reading the object back: %w", err)
	}
	body = append(body, "presigned\n"...)
	if err := s.probePresigned(ctx, key, body); err != nil {
		return fmt.Errorf("uploading through a presigned URL of %s: %w", s.public, err)
	}
	if err := s.probeRead(ctx, key, body); err != nil {
		return fmt.Errorf("reading back what was uploaded through a presigned URL: %w", err)
	}
	return nil
}

func (s *Store) probeRead(ctx context.Context, key string, want []byte) error {
	body, _, err := s.Get(ctx, key, GetOptions{})
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	got, err := io.ReadAll(io.LimitReader(body, 1<<10))
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("got %d other bytes than were stored", len(got))
	}
	return nil
}

func (s *Store) probePresigned(ctx context.Context, key string, body []byte) error {
	p, err := s.PresignPut(ctx, key, PresignOptions{Expires: time.Minute})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, p.Method, p.URL, bytes.NewReader(body))
	if err != nil {
		return errors.New("the presigned URL is not valid")
	}
	// The type that curl sends with --data-binary.
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	client := &http.Client{Transport: s.transport}
	resp, err := client.Do(req)
	if err != nil {
		// The error's own text would show the signed URL.
		var withURL *url.Error
		if errors.As(err, &withURL) {
			err = withURL.Err
		}
		return &Error{Op: "put", Key: key, Kind: ErrUnavailable, Err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	if resp.StatusCode != http.StatusOK {
		return &Error{Op: "put", Key: key, HTTP: resp.StatusCode, Kind: ErrDenied, Err: fmt.Errorf("answered %s", resp.Status)}
	}
	return nil
}
