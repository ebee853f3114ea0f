package document

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/docsvc/docsvc/pkg/objstore"
	"github.com/docsvc/docsvc/pkg/rq"
	"github.com/docsvc/docsvc/pkg/rq/pickle"
)

// ObjectFunc is the function name of jobs that take in an object that is in
// the bucket already: docsvc.process_object(key, title=None, tags=None,
// sha256=None). The first run of such a job makes the document's record.
const ObjectFunc = "docsvc.process_object"

// objectCall is how the function is called, for messages.
const objectCall = ObjectFunc + "(key, title=None, tags=None, sha256=None)"

// maxObjectKey is the longest key that S3 takes, in bytes.
const maxObjectKey = 1024

// ObjectRequest names an object to take in, and how.
type ObjectRequest struct {
	// Key is the whole key in the bucket: the store's prefix does not come
	// before it.
	Key            string
	Title          string   // at most 255 characters
	Description    string   // at most 1000 characters
	Tags           []string // at most 10 of at most 50 characters
	SHA256         string   // of the bytes, hexadecimal, or empty
	Priority       string   // PriorityHigh, PriorityNormal or empty
	AllowDuplicate bool     // complete it even when another document is the same
	ChunkTokens    *int     // nil: as configured
	ChunkOverlap   *int     // tokens; nil: as configured
	Password       string   // of an encrypted file
}

// ObjectArguments reads the arguments of a docsvc.process_object job: by
// position, by name, or both, as Python would. The error names what is wrong.
func ObjectArguments(j *rq.Job) (ObjectRequest, error) {
	var r ObjectRequest
	given, err := bind([]string{"key", "title", "tags", "sha256"}, j.Args, j.Kwargs)
	if err != nil {
		return r, err
	}
	if given["key"] == nil {
		return r, badCall("key", "key is missing")
	}
	for _, f := range []struct {
		name string
		into *string
	}{{"key", &r.Key}, {"title", &r.Title}, {"sha256", &r.SHA256}} {
		if value := given[f.name]; value != nil {
			text, ok := value.(string)
			if !ok {
				return r, badCall(f.name, "%s must be text, got %s", f.name, kindOf(value))
			}
			*f.into = text
		}
	}
	r.Tags, err = tagsArgument(given["tags"])
	return r, err
}

// bind gives each argument its name.
func bind(names []string, args []any, kwargs map[string]any) (map[string]any, error) {
	if len(args) > len(names) {
		return nil, badCall("", "it takes %d arguments at most, got %d", len(names), len(args))
	}
	given := map[string]any{}
	for i, value := range args {
		given[names[i]] = value
	}
	for _, name := range slices.Sorted(maps.Keys(kwargs)) {
		if !slices.Contains(names, name) {
			return nil, badCall("", "it has no argument %s", printable(name))
		}
		if slices.Index(names, name) < len(args) {
			return nil, badCall(name, "%s is given twice, by position and by name", name)
		}
		given[name] = kwargs[name]
	}
	return given, nil
}

func tagsArgument(value any) ([]string, error) {
	var items []any
	switch v := value.(type) {
	case nil:
	case []any:
		items = v
	case pickle.Tuple:
		items = v
	default:
		return nil, badCall("tags", "tags must be a list of texts, got %s", kindOf(value))
	}
	var tags []string
	for _, item := range items {
		tag, ok := item.(string)
		if !ok {
			return nil, badCall("tags", "tags must be a list of texts, one of them is %s", kindOf(item))
		}
		tags = append(tags, tag)
	}
	return tags, nil
}

func badCall(field, format string, args ...any) *Error {
	return invalid(field, "The job calls %s wrongly: %s.", objectCall, fmt.Sprintf(format, args...))
}

// kindOf names the type of a job's argument as a Python producer knows it.
func kindOf(value any) string {
	switch value.(type) {
	case nil:
		return "None"
	case bool:
		return "a bool"
	case string:
		return "a str"
	case int64, int:
		return "an int"
	case float64:
		return "a float"
	case []byte:
		return "bytes"
	case []any:
		return "a list"
	case pickle.Tuple:
		return "a tuple"
	case pickle.Dict, map[string]any:
		return "a dict"
	case pickle.Set, pickle.FrozenSet:
		return "a set"
	}
	return "something else"
}

// validObject checks a request and brings it into the form that is stored.
func (s *Service) validObject(r *ObjectRequest) error {
	if err := s.validObjectKey(r.Key); err != nil {
		return err
	}
	if err := validAbout(&r.Title, &r.Description, &r.Tags); err != nil {
		return err
	}
	sum, err := validSHA256("sha256", r.SHA256)
	if err != nil {
		return err
	}
	r.SHA256 = sum
	p := r.process()
	return p.validate()
}

// process is what the request says of processing.
func (r *ObjectRequest) process() ProcessRequest {
	return ProcessRequest{UploadID: "-", Priority: r.Priority, AllowDuplicate: r.AllowDuplicate,
		ChunkTokens: r.ChunkTokens, ChunkOverlap: r.ChunkOverlap, Password: r.Password}
}

// validObjectKey refuses what is no key, and the objects that docsvc itself
// keeps: they are documents already, or parts of one.
func (s *Service) validObjectKey(key string) error {
	switch {
	case strings.TrimSpace(key) == "":
		return invalid("key", "key must not be empty.")
	case len(key) > maxObjectKey:
		return invalid("key", "key must have at most %d bytes, got %d.", maxObjectKey, len(key))
	case !utf8.ValidString(key) || strings.ContainsRune(key, 0):
		return invalid("key", "key must be valid UTF-8 without NUL characters.")
	case strings.HasSuffix(key, "/"):
		return invalid("key", "key must name an object, but %s ends with a slash as folders do.", printable(key))
	}
	for part := range strings.SplitSeq(key, "/") {
		if part == "." || part == ".." {
			return invalid("key", "key must have no part that is . or .., got %s.", printable(key))
		}
	}
	// Some stores take several slashes for one.
	name, ours := strings.CutPrefix(strings.TrimPrefix(path.Clean("/"+key), "/"), s.store.Prefix())
	if ours && (strings.HasPrefix(name, UploadsPrefix) || strings.HasPrefix(name, DocumentsPrefix) || name == installationObject) {
		return invalid("key", "key names an object that docsvc itself keeps, %s. Give the key of a file of your own.", printable(key))
	}
	return nil
}

// objectFilename is the file name that a key gives a document: its last part,
// without what a file name of an upload may not have either.
func objectFilename(key string) string {
	name := strings.Map(func(r rune) rune {
		if r == '\\' || hidden(r) {
			return '_'
		}
		return r
	}, path.Base(key))
	if runes := []rune(name); len(runes) > maxFilename {
		name = string(runes[len(runes)-maxFilename:]) // its end says more: it has the extension
	}
	if strings.TrimSpace(name) == "" {
		return "object"
	}
	return name
}

// ObjectDocumentID returns the document that a docsvc.process_object job makes
// or has made: a version 7 UUID of the job's created_at and of its id. Every
// run of the job gives the same, and every transition knows it without a look
// at anything but the job.
func ObjectDocumentID(j *rq.Job) string {
	sum := sha256.Sum256([]byte(j.ID))
	return version7(uuid.UUID(sum[:16]), j.CreatedAt)
}

// objectUploadID is the upload id of such a document: a UUID like any other,
// but the same in every run.
func objectUploadID(j *rq.Job) string {
	sum := sha256.Sum256([]byte(j.ID))
	u := uuid.UUID(sum[16:])
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return u.String()
}

// version7 makes a version 7 UUID of a time, in milliseconds, and of the bits
// of u that are left. A job without a time gets the earliest.
func version7(u uuid.UUID, at time.Time) string {
	ms := max(0, at.UnixMilli())
	for i := range 6 {
		u[i] = byte(ms >> (40 - 8*i))
	}
	u[6] = u[6]&0x0f | 0x70
	u[8] = u[8]&0x3f | 0x80
	return u.String()
}

// file says where a document's file is: an upload of its own, or an object of
// the bucket that is somebody else's.
func (s *Service) file(d *Document) (*objstore.Store, string) {
	if d.SourceKey != "" {
		return s.bucket, d.SourceKey
	}
	return s.store, d.UploadKey
}

// objectMissing says that the object of a document is not there.
func (s *Service) objectMissing(d *Document) *Error {
	return &Error{Kind: Conflict, Code: CodeObjectMissing, State: d.Status, Detail: fmt.Sprintf(
		"Bucket %s has no object %q, of which document %s is to be made. Put it there, then ask for processing again.%s",
		s.bucket.Bucket(), d.SourceKey, d.ID, slashHint(d.SourceKey))}
}

// slashHint helps where a key was written like a path.
func slashHint(key string) string {
	if !strings.HasPrefix(key, "/") {
		return ""
	}
	return " Keys seldom begin with a slash: was " + printable(strings.TrimLeft(key, "/")) + " meant?"
}
