package s3server

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/rclone/gofakes3"
)

// Parts lie in uploads/<id>/<part number>-<md5>, renamed there when complete;
// a part sent again replaces the old one. They need not survive a power
// failure: the object is synced when completed.

// upload is a multipart upload in progress.
type upload struct {
	bucket, key string
	meta        map[string]string

	mu    sync.Mutex
	parts map[int]string // part number -> MD5 in hex
	used  time.Time      // last activity
	busy  int            // requests working on it
}

// uploads are the multipart uploads in progress.
type uploads struct {
	mu   sync.Mutex
	byID map[gofakes3.UploadID]*upload
}

func newUploads() *uploads { return &uploads{byID: map[gofakes3.UploadID]*upload{}} }

// hold returns an upload and keeps it from being abandoned until release.
func (u *uploads) hold(id gofakes3.UploadID, now time.Time) (up *upload, release func(), ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	up, ok = u.byID[id]
	if !ok {
		return nil, nil, false
	}
	up.mu.Lock()
	defer up.mu.Unlock()
	up.busy++
	up.used = now
	return up, func() {
		up.mu.Lock()
		up.busy--
		up.mu.Unlock()
	}, true
}

func (u *uploads) add(id gofakes3.UploadID, up *upload) {
	u.mu.Lock()
	u.byID[id] = up
	u.mu.Unlock()
}

func (u *uploads) drop(id gofakes3.UploadID) {
	u.mu.Lock()
	delete(u.byID, id)
	u.mu.Unlock()
}

// idle returns the uploads that nobody has used since before.
func (u *uploads) idle(before time.Time) map[gofakes3.UploadID]*upload {
	u.mu.Lock()
	defer u.mu.Unlock()
	out := map[gofakes3.UploadID]*upload{}
	for id, up := range u.byID {
		up.mu.Lock()
		if up.busy == 0 && up.used.Before(before) {
			out[id] = up
		}
		up.mu.Unlock()
	}
	return out
}

func (s *store) uploadDir(id gofakes3.UploadID) string {
	return filepath.Join(s.uploadsDir(), string(id))
}

func (s *store) partFile(id gofakes3.UploadID, number int, sum string) string {
	return filepath.Join(s.uploadDir(id), strconv.Itoa(number)+"-"+sum)
}

// CreateMultipartUpload implements gofakes3.MultipartBackend.
func (s *store) CreateMultipartUpload(_ context.Context, bucket, key string, meta map[string]string) (gofakes3.UploadID, error) {
	if len(key) > gofakes3.KeySizeLimit {
		return "", gofakes3.ResourceError(gofakes3.ErrKeyTooLong, key)
	}
	id := gofakes3.UploadID(uuid.NewString())
	if err := os.Mkdir(s.uploadDir(id), 0o700); err != nil {
		return "", s.failed("beginning an upload", err)
	}
	s.uploads.add(id, &upload{bucket: bucket, key: key, meta: meta, parts: map[int]string{}, used: s.clock()})
	return id, nil
}

// UploadPart implements gofakes3.MultipartBackend.
func (s *store) UploadPart(_ context.Context, _, _ string, id gofakes3.UploadID, number int, size int64, body io.Reader) (string, error) {
	up, release, ok := s.uploads.hold(id, s.clock())
	if !ok {
		return "", gofakes3.ErrNoSuchUpload
	}
	defer release()
	tmp, err := s.create(s.tmpDir())
	if err != nil {
		return "", s.failed("storing a part", err)
	}
	got, err := receive(tmp, body)
	if err == nil && got.n != size {
		err = gofakes3.ErrIncompleteBody
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	sum := got.md5()
	if err == nil {
		err = s.placePart(up, id, number, sum, tmp.Name())
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
		return "", s.failed("storing a part", err)
	}
	return `"` + sum + `"`, nil
}

func (s *store) placePart(up *upload, id gofakes3.UploadID, number int, sum, tmp string) error {
	up.mu.Lock()
	defer up.mu.Unlock()
	if err := os.Rename(tmp, s.partFile(id, number, sum)); err != nil {
		return err
	}
	if old, ok := up.parts[number]; ok && old != sum {
		_ = os.Remove(s.partFile(id, number, old))
	}
	up.parts[number] = sum
	return nil
}

// CompleteMultipartUpload implements gofakes3.MultipartBackend. The ETag is
// the MD5 of the whole object, as for any other, not S3's digest of digests:
// gofakes3 can only answer digests for an object, and one without a suffix is
// widely taken for the MD5.
func (s *store) CompleteMultipartUpload(ctx context.Context, bucket, key string, id gofakes3.UploadID, in *gofakes3.CompleteMultipartUploadRequest) (gofakes3.VersionID, string, error) {
	up, release, ok := s.uploads.hold(id, s.clock())
	if !ok {
		return "", "", gofakes3.ErrNoSuchUpload
	}
	defer release()
	paths, err := s.partPaths(up, id, in)
	if err != nil {
		return "", "", err
	}
	i := s.newInfo(key, up.meta)
	err = s.write(ctx, bucket, i, -1, func(w io.Writer) error {
		h := md5.New()
		for _, p := range paths {
			n, err := appendFile(io.MultiWriter(w, h), p)
			i.Size += n
			if err != nil {
				return err
			}
		}
		i.MD5 = hex.EncodeToString(h.Sum(nil))
		return nil
	})
	if err != nil {
		return "", "", err
	}
	s.discard(id)
	return "", `"` + i.MD5 + `"`, nil
}

// partPaths checks the list of parts that a client wants joined.
func (s *store) partPaths(up *upload, id gofakes3.UploadID, in *gofakes3.CompleteMultipartUploadRequest) ([]string, error) {
	if len(in.Parts) == 0 {
		return nil, gofakes3.ErrMalformedXML
	}
	up.mu.Lock()
	defer up.mu.Unlock()
	paths := make([]string, len(in.Parts))
	for n, p := range in.Parts {
		if n > 0 && p.PartNumber <= in.Parts[n-1].PartNumber {
			return nil, gofakes3.ErrInvalidPartOrder
		}
		sum, ok := up.parts[p.PartNumber]
		if !ok || !strings.EqualFold(sum, strings.Trim(p.ETag, `"`)) {
			return nil, badRequest(gofakes3.ErrInvalidPart, "part %d was not uploaded, or has another ETag", p.PartNumber)
		}
		paths[n] = s.partFile(id, p.PartNumber, sum)
	}
	return paths, nil
}

func appendFile(w io.Writer, path string) (int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, fmt.Errorf("joining parts: %w", err)
	}
	defer func() { _ = f.Close() }()
	return io.CopyBuffer(w, struct{ io.Reader }{f}, make([]byte, copyBuffer))
}

// AbortMultipartUpload implements gofakes3.MultipartBackend.
func (s *store) AbortMultipartUpload(_ context.Context, _, _ string, id gofakes3.UploadID) error {
	s.discard(id)
	return nil
}

func (s *store) discard(id gofakes3.UploadID) {
	s.uploads.drop(id)
	if err := os.RemoveAll(s.uploadDir(id)); err != nil {
		s.log.Warn().Err(err).Str("upload", string(id)).Msg("removing the parts of an upload; they go at the next start")
	}
}
