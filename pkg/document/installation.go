package document

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/objstore"
	"github.com/docsvc/docsvc/pkg/rq"
)

// installationObject holds the installation's id in the bucket.
const installationObject = "docsvc.json"

// installationFile is what stands in it.
type installationFile struct {
	Installation string `json:"installation"`
}

// installation is what bucket and Redis say whose they are.
type installation struct {
	redis, bucket string
	// stored: there are uploads or documents in the bucket.
	stored bool
}

// CheckInstallation compares the installation id in the bucket with the one in
// Redis. A wrong pair is dangerous: seen from another Redis, every object in
// the bucket looks like an orphan. Errors: Conflict installation_mismatch or
// records_missing (Redis is empty and the bucket is not), Unavailable. An
// installation that has not been set up yet is no error.
func (s *Service) CheckInstallation(ctx context.Context) error {
	i, err := s.installation(ctx)
	if err != nil {
		return err
	}
	return i.check(s.store.Bucket())
}

// EnsureInstallation does what CheckInstallation does, and sets a new
// installation up: call it at start. It may be called by any number of
// processes at once.
func (s *Service) EnsureInstallation(ctx context.Context) error {
	i, err := s.installation(ctx)
	if err != nil {
		return err
	}
	if err := i.check(s.store.Bucket()); err != nil {
		return err
	}
	if i.redis != "" && i.bucket != "" {
		return nil
	}
	id := i.bucket
	if id == "" {
		id = uuid.NewString()
	}
	// Redis decides between several processes.
	if err := s.rdb.SetNX(ctx, s.k.installation(), id, 0).Err(); err != nil {
		return redisError("writing the installation id", err)
	}
	if id, err = s.rdb.Get(ctx, s.k.installation()).Result(); err != nil {
		return redisError("reading the installation id", err)
	}
	if i.bucket == "" {
		if err := s.putInstallation(ctx, id); err != nil {
			return err
		}
		if err := s.openLedger(ctx); err != nil {
			return err
		}
	}
	return s.CheckInstallation(ctx)
}

// CheckBucket tells a bucket that was emptied, or removed and made anew, from
// one in which just an object is missing: the first has lost the installation's
// id, too. What is missing there may come back with the rest. Errors:
// Unavailable, Conflict installation_mismatch.
func (s *Service) CheckBucket(ctx context.Context) error {
	id, err := s.rdb.Get(ctx, s.k.installation()).Result()
	if errors.Is(err, redis.Nil) {
		return nil
	}
	if err != nil {
		return redisError("reading the installation id", err)
	}
	marked, err := s.bucketInstallation(ctx)
	if err != nil || marked != "" {
		return err
	}
	return &Error{Kind: Unavailable, Code: CodeStorageUnavailable, Detail: fmt.Sprintf(
		"Bucket %s has lost its %s: it was emptied, or removed and made anew. Restore what was in it. If that is gone for good, store {\"installation\": %q} as %s%s.",
		s.store.Bucket(), installationObject, id, s.store.Prefix(), installationObject)}
}

// mustBeInstalled does EnsureInstallation until it has succeeded once, and
// gives the condition under which a document may be made: that Redis still is
// the one that was seen with this bucket, and was not emptied since. No upload
// may be asked for before: a bucket that holds uploads but no id is refused
// for good, since it could be anybody's.
func (s *Service) mustBeInstalled(ctx context.Context) (rq.Condition, error) {
	id := s.installed.Load()
	if id == nil {
		if err := s.EnsureInstallation(ctx); err != nil {
			return rq.Condition{}, err
		}
		text, err := s.rdb.Get(ctx, s.k.installation()).Result()
		if err != nil {
			return rq.Condition{}, redisError("reading the installation id", err)
		}
		id = &text
		s.installed.Store(id)
	}
	return rq.Condition{Guard: rq.Guard{Key: s.k.installation(), Is: *id}}, nil
}

// otherRedis reports whether a write was refused because the condition of
// mustBeInstalled does not hold any more; it is then looked at anew.
func (s *Service) otherRedis(refused *rq.ConditionError) bool {
	if refused.Key != s.k.installation() {
		return false
	}
	s.installed.Store(nil)
	return true
}

func (s *Service) putInstallation(ctx context.Context, id string) error {
	b, err := json.Marshal(installationFile{Installation: id})
	if err != nil {
		return fmt.Errorf("writing the installation id: %w", err)
	}
	b = append(b, '\n')
	_, err = s.store.Put(ctx, installationObject, bytes.NewReader(b), int64(len(b)), objstore.PutOptions{ContentType: "application/json"})
	return storageError("writing the installation id", err)
}

func (s *Service) installation(ctx context.Context) (installation, error) {
	var i installation
	id, err := s.rdb.Get(ctx, s.k.installation()).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return i, redisError("reading the installation id", err)
	}
	i.redis = id
	if i.bucket, err = s.bucketInstallation(ctx); err != nil {
		return i, err
	}
	if i.redis != "" && i.bucket != "" {
		return i, nil
	}
	for _, prefix := range []string{DocumentsPrefix, UploadsPrefix} {
		for _, err := range s.store.List(ctx, prefix, "") {
			if err != nil {
				return i, storageError("listing the bucket", err)
			}
			i.stored = true
			break
		}
	}
	return i, nil
}

func (s *Service) bucketInstallation(ctx context.Context) (string, error) {
	body, _, err := s.store.Get(ctx, installationObject, objstore.GetOptions{})
	if errors.Is(err, objstore.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", storageError("reading the installation id", err)
	}
	defer func() { _ = body.Close() }()
	b, err := io.ReadAll(io.LimitReader(body, 4<<10))
	if err != nil {
		return "", storageError("reading the installation id", err)
	}
	var f installationFile
	if err := json.Unmarshal(b, &f); err != nil || f.Installation == "" {
		return "", &Error{Kind: Conflict, Code: CodeOtherInstallation, Err: err, Detail: fmt.Sprintf(
			"%s in bucket %s is not docsvc's. Use another bucket or prefix, or restore that object.", installationObject, s.store.Bucket())}
	}
	return f.Installation, nil
}

// check says whether the pair may be used together.
func (i installation) check(bucket string) error {
	refuse := func(code, format string, args ...any) error {
		return &Error{Kind: Conflict, Code: code, Detail: fmt.Sprintf(format, args...)}
	}
	switch {
	case i.redis != "" && i.redis == i.bucket:
		return nil
	case i.redis != "" && i.bucket != "":
		return refuse(CodeOtherInstallation, "Bucket %s is of installation %s, Redis of installation %s. "+
			"Point docsvc at a pair that belongs together.", bucket, i.bucket, i.redis)
	case !i.stored:
		return nil // new, or set up halfway: nothing can be lost
	case i.redis != "":
		return refuse(CodeOtherInstallation, "Bucket %s has documents but no %s, so it is not known whose they are (Redis is of installation %s). "+
			"Restore that object, or use another bucket or prefix.", bucket, installationObject, i.redis)
	case i.bucket != "":
		return refuse(CodeRecordsMissing, "Redis knows nothing of the documents in bucket %s: it is empty or another one. "+
			"Restore it from a backup, or have its records made again from the bucket: docsvc documents rebuild", bucket)
	}
	return refuse(CodeRecordsMissing, "Bucket %s has objects below %s or %s, but neither it nor Redis says of which installation. "+
		"Use another bucket or prefix, or move them away.", bucket, UploadsPrefix, DocumentsPrefix)
}
