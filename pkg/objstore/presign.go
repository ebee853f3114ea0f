package objstore

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// PresignOptions describe an upload that a URL allows.
type PresignOptions struct {
	// ContentDisposition and ContentType are signed when SHA256Hex is set.
	ContentDisposition string
	ContentType        string
	// Expires is how long the URL works, 1 second to 7 days.
	Expires time.Duration
	// SHA256Hex makes the store check the upload. Without it the URL takes
	// any body with any headers, as the guide's plain curl line needs.
	SHA256Hex string
	// Size in bytes is signed when SHA256Hex is set.
	Size int64
}

// Presigned is a request that anyone may make until ExpiresAt.
type Presigned struct {
	URL    string
	Method string
	// Headers must be sent exactly so; nil when any will do.
	Headers   map[string]string
	ExpiresAt time.Time
}

// PresignPut returns a URL that stores one object. It needs no network.
func (s *Store) PresignPut(ctx context.Context, key string, o PresignOptions) (*Presigned, error) {
	headers, err := o.headers()
	if err != nil {
		return nil, fmt.Errorf("storage: presign %q: %w", key, err)
	}
	signed := http.Header{}
	for name, value := range headers {
		signed.Set(name, value)
	}
	u, err := s.signer.PresignHeader(ctx, http.MethodPut, s.bucket, s.full(key), o.Expires, url.Values{}, signed)
	if err != nil {
		return nil, s.wrap(ctx, "presign", key, err)
	}
	at, err := expiry(u)
	if err != nil {
		return nil, fmt.Errorf("storage: presign %q: %w", key, err)
	}
	return &Presigned{URL: u.String(), Method: http.MethodPut, Headers: headers, ExpiresAt: at}, nil
}

func (o PresignOptions) headers() (map[string]string, error) {
	if o.SHA256Hex == "" {
		return nil, nil
	}
	sum, err := hex.DecodeString(o.SHA256Hex)
	if err != nil || len(sum) != 32 {
		return nil, fmt.Errorf("sha256 %q is not 64 hexadecimal digits", o.SHA256Hex)
	}
	h := map[string]string{
		"Content-Length":        strconv.FormatInt(o.Size, 10),
		"X-Amz-Checksum-Sha256": base64.StdEncoding.EncodeToString(sum),
	}
	if o.ContentType != "" {
		h["Content-Type"] = o.ContentType
	}
	if o.ContentDisposition != "" {
		h["Content-Disposition"] = o.ContentDisposition
	}
	return h, nil
}

// expiry reads from a signed URL until when it works: the store counts from
// the time in the signature, not from the caller's clock.
func expiry(u *url.URL) (time.Time, error) {
	q := u.Query()
	at, err := time.Parse("20060102T150405Z", q.Get("X-Amz-Date"))
	if err != nil {
		return time.Time{}, fmt.Errorf("reading the time of the signature: %w", err)
	}
	seconds, err := strconv.Atoi(q.Get("X-Amz-Expires"))
	if err != nil {
		return time.Time{}, fmt.Errorf("reading the life of the signature: %w", err)
	}
	return at.Add(time.Duration(seconds) * time.Second), nil
}

// PresignGet returns a URL that reads an object, with the file name and type
// that a browser shall see (either may be empty). It needs no network.
func (s *Store) PresignGet(ctx context.Context, key string, expires time.Duration, filename, contentType string) (string, error) {
	query := url.Values{}
	if filename != "" {
		query.Set("response-content-disposition", Disposition(filename))
	}
	if contentType != "" {
		query.Set("response-content-type", contentType)
	}
	u, err := s.signer.PresignedGetObject(ctx, s.bucket, s.full(key), expires, query)
	if err != nil {
		return "", s.wrap(ctx, "presign", key, err)
	}
	return u.String(), nil
}

// Disposition returns the Content-Disposition header of a file to be saved
// under filename: the name as it is for clients of today (RFC 6266), and an
// ASCII form for others.
func Disposition(filename string) string {
	ascii := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' || r == '%' {
			return '_'
		}
		return r
	}, filename)
	plain := mime.FormatMediaType("attachment", map[string]string{"filename": ascii})
	if ascii == filename {
		return plain
	}
	return plain + "; filename*=UTF-8''" + percent(filename)
}

// percent encodes all but the attr-chars of RFC 5987.
func percent(text string) string {
	const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$&+-.^_`|~"
	var b strings.Builder
	for i := range len(text) {
		if strings.IndexByte(plain, text[i]) >= 0 {
			b.WriteByte(text[i])
		} else {
			fmt.Fprintf(&b, "%%%02X", text[i])
		}
	}
	return b.String()
}
