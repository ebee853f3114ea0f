package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// keyring holds hashes of the API keys. Hashing first makes all comparisons
// the same length, so that time tells nothing about a key.
type keyring [][sha256.Size]byte

func newKeyring(keys []string) (keyring, error) {
	var ring keyring
	for i, k := range keys {
		if k = strings.TrimSpace(k); k == "" {
			return nil, fmt.Errorf("API key %d of %d is empty: remove it or give it a value", i+1, len(keys))
		}
		ring = append(ring, sha256.Sum256([]byte(k)))
	}
	return ring, nil
}

// has looks at every key, also after one has matched.
func (k keyring) has(candidate string) bool {
	if candidate == "" {
		return false
	}
	sum, found := sha256.Sum256([]byte(candidate)), 0
	for i := range k {
		found |= subtle.ConstantTimeCompare(sum[:], k[i][:])
	}
	return found == 1
}

// requireKey lets a request pass that carries one of the keys.
func requireKey(keys keyring, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if keys.has(bearer(r)) || keys.has(strings.TrimSpace(r.Header.Get("X-API-Key"))) {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("WWW-Authenticate", `Bearer realm="docsvc"`)
		detail := "This server wants an API key. Send the header Authorization: Bearer KEY, or X-API-Key: KEY."
		if r.Header.Get("Authorization") != "" || r.Header.Get("X-API-Key") != "" {
			detail = "The API key is not one that this server knows."
		}
		writeProblem(w, newProblem("unauthorized", detail))
	})
}

func bearer(r *http.Request) string {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// requireOrigin stands in for keys on a server that has none. Two things
// could otherwise reach a server on this machine through its user's browser: a
// name of an attacker's that resolves to this address (DNS rebinding), and a
// page that posts here (CSRF).
func requireOrigin(hosts []string, next http.Handler) http.Handler {
	var csrf http.CrossOriginProtection
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !knownHost(r.Host, hosts) {
			writeProblem(w, newProblem("host_not_allowed", fmt.Sprintf(
				"This server has no API key and doesn't answer to the name %q. Call it by its IP address or as localhost, "+
					"list the name in server.allowed_hosts, or configure an API key.", r.Host)))
			return
		}
		if err := csrf.Check(r); err != nil {
			writeProblem(w, newProblem("cross_origin",
				"A page of another site sent this request. A server without an API key takes changes from its own pages and from programs only."))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// knownHost reports whether a Host header can't be somebody else's name: an
// IP address, localhost, or a name that the operator listed.
func knownHost(hostport string, allowed []string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return true
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	for _, a := range allowed {
		if strings.EqualFold(strings.TrimSuffix(a, "."), host) {
			return true
		}
	}
	return false
}

var errNoHost = errors.New("an allowed host is empty or has a port: give names only")

func checkHosts(hosts []string) error {
	for _, h := range hosts {
		if h == "" || strings.ContainsAny(h, ":/ ") {
			return fmt.Errorf("%w: %q", errNoHost, h)
		}
	}
	return nil
}
