package s3server_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// presignAt signs a request as AWS documents it, for another time than now.
// It shares no code with the server.
func presignAt(r http.Request, at time.Time, expires time.Duration) string {
	date, day := at.Format("20060102T150405Z"), at.Format("20060102")
	scope := day + "/us-east-1/s3/aws4_request"
	q := url.Values{
		"X-Amz-Algorithm":     {"AWS4-HMAC-SHA256"},
		"X-Amz-Credential":    {accessKey + "/" + scope},
		"X-Amz-Date":          {date},
		"X-Amz-Expires":       {strconv.Itoa(int(expires.Seconds()))},
		"X-Amz-SignedHeaders": {"host"},
	}
	canonical := strings.Join([]string{r.Method, r.URL.EscapedPath(), q.Encode(), "host:" + r.URL.Host + "\n", "host", "UNSIGNED-PAYLOAD"}, "\n")
	sum := sha256.Sum256([]byte(canonical))
	text := strings.Join([]string{"AWS4-HMAC-SHA256", date, scope, hex.EncodeToString(sum[:])}, "\n")
	q.Set("X-Amz-Signature", hex.EncodeToString(mac(signingKey(day), text)))
	u := *r.URL
	u.RawQuery = q.Encode()
	return u.String()
}

func signingKey(day string) []byte {
	key := []byte("AWS4" + secretKey)
	for _, s := range []string{day, "us-east-1", "s3", "aws4_request"} {
		key = mac(key, s)
	}
	return key
}

func mac(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	_, _ = m.Write([]byte(text))
	return m.Sum(nil)
}

func presignGet(u string) string {
	r, err := http.NewRequest(http.MethodGet, u, nil)
	if err != nil {
		panic(err)
	}
	return presignAt(*r, time.Now().UTC(), time.Hour)
}
