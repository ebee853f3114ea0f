package config

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
)

// Redis says where Redis is and how it is reached.
type Redis struct {
	URL          string `mapstructure:"url"`
	PasswordFile string `mapstructure:"password_file"`
	Namespace    string `mapstructure:"namespace"`

	SentinelAddrs        string `mapstructure:"sentinel_addrs"`
	SentinelMaster       string `mapstructure:"sentinel_master"`
	SentinelPasswordFile string `mapstructure:"sentinel_password_file"`

	TLSCAFile   string `mapstructure:"tls_ca_file"`
	TLSCertFile string `mapstructure:"tls_cert_file"`
	TLSKeyFile  string `mapstructure:"tls_key_file"`
}

// RedisGiven reports whether the configuration says where Redis is.
func (c *Config) RedisGiven() bool {
	return c.Origins["redis.url"] != "default" || c.Redis.SentinelAddrs != ""
}

// RedisURL returns the URL with the password of redis.password_file put in.
func (c *Config) RedisURL() (string, error) {
	if c.Redis.PasswordFile == "" {
		return c.Redis.URL, nil
	}
	secret, err := readSecret("redis.password_file", c.Redis.PasswordFile)
	if err != nil {
		return "", err
	}
	u, err := url.Parse(c.Redis.URL)
	if err != nil {
		return "", &Error{Key: "redis.url", Origin: c.Origins["redis.url"], Problem: "not a URL"}
	}
	u.User = url.UserPassword(u.User.Username(), secret)
	return u.String(), nil
}

// PlainRedisURL says without a password where Redis is, for messages.
func (c *Config) PlainRedisURL() string {
	if c.Redis.SentinelAddrs != "" {
		return fmt.Sprintf("%s, as Sentinel at %s says", c.Redis.SentinelMaster, strings.Join(c.SentinelAddrs(), ", "))
	}
	return PlainURL(c.Redis.URL)
}

// SentinelAddrs returns redis.sentinel_addrs as host:port each.
func (c *Config) SentinelAddrs() []string {
	addrs := words(c.Redis.SentinelAddrs)
	for i, a := range addrs {
		if _, _, err := net.SplitHostPort(a); err != nil {
			addrs[i] = net.JoinHostPort(strings.Trim(a, "[]"), "26379") // Sentinel's own default
		}
	}
	return addrs
}

// SentinelPassword returns what redis.sentinel_password_file holds.
func (c *Config) SentinelPassword() (string, error) {
	if c.Redis.SentinelPasswordFile == "" {
		return "", nil
	}
	return readSecret("redis.sentinel_password_file", c.Redis.SentinelPasswordFile)
}

// RedisTLS puts the own authority and the client's certificate into t. The
// certificate is read for every connection, so that it can be renewed.
func (c *Config) RedisTLS(t *tls.Config) error {
	if path := c.Redis.TLSCAFile; path != "" {
		pem, err := os.ReadFile(path)
		if err != nil {
			return c.redisError("redis.tls_ca_file", err.Error())
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return c.redisError("redis.tls_ca_file", path+" holds no certificate in PEM form")
		}
	}
	cert, key := c.Redis.TLSCertFile, c.Redis.TLSKeyFile
	if cert == "" {
		return nil
	}
	if _, err := tls.LoadX509KeyPair(cert, key); err != nil {
		return c.redisError("redis.tls_cert_file", err.Error())
	}
	t.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("reading redis.tls_cert_file: %w", err)
		}
		return &pair, nil
	}
	return nil
}

func (c *Config) redisError(key, problem string) error {
	return &Error{Key: key, Origin: c.Origins[key], Problem: problem}
}

// validateRedis looks at how the redis.* settings fit together.
func (c *Config) validateRedis() error {
	u, err := url.Parse(c.Redis.URL)
	if err != nil || !slices.Contains([]string{"redis", "rediss", "unix"}, u.Scheme) {
		// The text may hold a password: never echo it.
		return c.redisError("redis.url", "not a Redis URL: write it as redis://host:6379/0")
	}
	r := c.Redis
	switch {
	case r.SentinelAddrs != "" && r.SentinelMaster == "":
		return c.redisError("redis.sentinel_addrs", "needs redis.sentinel_master, the name under which Sentinel knows the primary")
	case r.SentinelAddrs == "" && r.SentinelMaster != "":
		return c.redisError("redis.sentinel_master", "needs redis.sentinel_addrs, where Sentinel is")
	case r.SentinelAddrs == "" && r.SentinelPasswordFile != "":
		return c.redisError("redis.sentinel_password_file", "needs redis.sentinel_addrs, where Sentinel is")
	case r.SentinelAddrs != "" && u.Scheme == "unix":
		return c.redisError("redis.url", "with redis.sentinel_addrs it gives user, password, database and TLS: write it as redis://user@sentinel/0 or rediss://user@sentinel/0")
	case (r.TLSCertFile == "") != (r.TLSKeyFile == ""):
		return c.redisError("redis.tls_cert_file", "redis.tls_cert_file and redis.tls_key_file go together")
	}
	for key, file := range map[string]string{"redis.tls_ca_file": r.TLSCAFile, "redis.tls_cert_file": r.TLSCertFile} {
		if file != "" && u.Scheme != "rediss" {
			return c.redisError(key, "is only used with TLS: write redis.url as rediss://host:6379/0")
		}
	}
	return nil
}

// words are the parts of a list, which commas or blanks separate.
func words(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}
