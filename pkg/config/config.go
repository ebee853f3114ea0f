// Package config reads docsvc's settings: flag before environment before file
// before default. Unknown keys are errors with a suggestion, and the origin of
// every value is kept so that `docsvc config print` can tell it.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/viper"
)

// Config is every setting, typed. Field comments are in Keys.
type Config struct {
	Redis   Redis   `mapstructure:"redis"`
	Storage Storage `mapstructure:"storage"`
	Server  struct {
		Addr          string        `mapstructure:"addr"`
		APIKeyFile    string        `mapstructure:"api_key_file"`
		AllowedHosts  string        `mapstructure:"allowed_hosts"`
		Insecure      bool          `mapstructure:"insecure"`
		ShutdownGrace time.Duration `mapstructure:"shutdown_grace"`
	} `mapstructure:"server"`
	Uploads struct {
		URLTTL    time.Duration `mapstructure:"url_ttl"`
		MaxSize   Size          `mapstructure:"max_size"`
		FailedTTL time.Duration `mapstructure:"failed_ttl"`
	} `mapstructure:"uploads"`
	Documents struct {
		Retention time.Duration `mapstructure:"retention"`
	} `mapstructure:"documents"`
	Attachments struct {
		Documents bool `mapstructure:"documents"` // of their own
		MaxDepth  int  `mapstructure:"max_depth"`
		MaxFiles  int  `mapstructure:"max_files"`
		MaxSize   Size `mapstructure:"max_size"`
	} `mapstructure:"attachments"`
	Worker struct {
		Concurrency int    `mapstructure:"concurrency"`
		WorkDir     string `mapstructure:"work_dir"`
		Unknown     string `mapstructure:"unknown"`
		Webhooks    bool   `mapstructure:"webhooks"`
		// ShutdownGrace bounds a warm stop; 0: none.
		ShutdownGrace time.Duration `mapstructure:"shutdown_grace"`
	} `mapstructure:"worker"`
	Extract struct {
		Timeout         time.Duration `mapstructure:"timeout"`
		ProgressTimeout time.Duration `mapstructure:"progress_timeout"`
		Memory          Size          `mapstructure:"memory"`
		MaxText         Size          `mapstructure:"max_text"`
		MaxPages        int           `mapstructure:"max_pages"`
		MaxExpanded     Size          `mapstructure:"max_expanded"`
		MaxParts        int           `mapstructure:"max_parts"`
		MaxNesting      int           `mapstructure:"max_nesting"`
		MaxRatio        int           `mapstructure:"max_ratio"`
		MaxPixels       int           `mapstructure:"max_pixels"`
		OCR             bool          `mapstructure:"ocr"`
		OCRProgram      string        `mapstructure:"ocr_program"`
		OCRLanguages    string        `mapstructure:"ocr_languages"`
		OCRPageTimeout  time.Duration `mapstructure:"ocr_page_timeout"`
		OCRTimeout      time.Duration `mapstructure:"ocr_timeout"`
		RecycleAfter    int           `mapstructure:"recycle_after"`
		CacheDir        string        `mapstructure:"cache_dir"`
	} `mapstructure:"extract"`
	Chunks struct {
		MaxTokens int `mapstructure:"max_tokens"`
		Overlap   int `mapstructure:"overlap"`
	} `mapstructure:"chunks"`
	Cleanup struct {
		OlderThan time.Duration `mapstructure:"older_than"`
		DailyAt   string        `mapstructure:"daily_at"`
	} `mapstructure:"cleanup"`
	Log struct {
		Level  string `mapstructure:"level"`
		Format string `mapstructure:"format"`
	} `mapstructure:"log"`
	Queues []Queue `mapstructure:"queues"`

	// File is the configuration file that was read, "" for none.
	File string `mapstructure:"-"`
	// Origins tells where each value of Keys came from, by key name:
	// "default", "file PATH", "environment NAME", "flag --NAME", ...
	Origins map[string]string `mapstructure:"-"`

	values map[string]string
}

// Storage says where files are.
type Storage struct {
	Endpoint       string `mapstructure:"endpoint"`
	PublicEndpoint string `mapstructure:"public_endpoint"`
	Region         string `mapstructure:"region"`
	Bucket         string `mapstructure:"bucket"`
	Prefix         string `mapstructure:"prefix"`
	PathStyle      string `mapstructure:"path_style"`
	CreateBucket   bool   `mapstructure:"create_bucket"`
	AccessKey      string `mapstructure:"access_key"`
	SecretKey      string `mapstructure:"secret_key"`
	SecretKeyFile  string `mapstructure:"secret_key_file"`
	KeepOriginal   bool   `mapstructure:"keep_original"`
}

// Error is a setting that can't be used: which, where it came from, why, and
// what to do.
type Error struct {
	Key, Origin, Problem string
}

func (e *Error) Error() string {
	s := e.Problem
	if e.Key != "" {
		s = e.Key + ": " + s
	}
	if e.Origin != "" && e.Origin != "default" {
		s += " (from " + e.Origin + ")"
	}
	return s
}

// Override is a value given by a flag or found by the command itself; it
// beats environment and file.
type Override struct{ Key, Value, Origin string }

// SearchPath lists where a configuration file is looked for without --config.
func SearchPath() []string {
	return []string{"docsvc.yaml", "/etc/docsvc/docsvc.yaml"}
}

// Load reads the settings. path names the file; "" searches SearchPath and
// goes on without one when there is none. lookup is os.LookupEnv or a test's.
func Load(path string, lookup func(string) (string, bool), overrides ...Override) (*Config, error) {
	v := viper.New()
	v.SetConfigType("yaml")
	file, err := readFile(v, path)
	if err != nil {
		return nil, err
	}
	if err := checkKeys(v, file); err != nil {
		return nil, err
	}
	c := &Config{File: file, Origins: map[string]string{}, values: map[string]string{}}
	for _, k := range Keys() {
		origin := "default"
		if v.InConfig(strings.Split(k.Name, ".")[0]) && v.IsSet(k.Name) {
			origin = "file " + file
		}
		v.SetDefault(k.Name, k.Default)
		if name, value, ok := fromEnv(k, lookup); ok {
			v.Set(k.Name, value)
			origin = "environment " + name
		}
		c.Origins[k.Name] = origin
	}
	for _, o := range overrides {
		v.Set(o.Key, o.Value)
		c.Origins[o.Key] = o.Origin
	}
	for _, k := range Keys() {
		c.values[k.Name] = v.GetString(k.Name)
		if err := decodeKey(v, c, k.Name); err != nil {
			return nil, err
		}
	}
	if err := decodeQueues(v, c); err != nil {
		return nil, err
	}
	return c, c.validate()
}

func readFile(v *viper.Viper, path string) (string, error) {
	candidates := SearchPath()
	if path != "" {
		candidates = []string{path}
	}
	for _, p := range candidates {
		f, err := os.Open(p)
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) && path == "" {
				continue
			}
			return "", &Error{Problem: fmt.Sprintf("opening the configuration file: %v", err)}
		}
		defer func() { _ = f.Close() }()
		if err := v.ReadConfig(f); err != nil {
			return "", &Error{Problem: oneLine(fmt.Sprintf("reading %s: %v", p, err))}
		}
		if abs, err := filepath.Abs(p); err == nil {
			p = abs
		}
		return p, nil
	}
	return "", nil
}

// envPrefix begins the environment variables of all settings.
const envPrefix = "DOCSVC_"

// EnvName is the environment variable of a key: DOCSVC_REDIS_URL for redis.url.
func EnvName(key string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

func fromEnv(k Key, lookup func(string) (string, bool)) (name, value string, ok bool) {
	for _, name := range append([]string{EnvName(k.Name)}, k.Env...) {
		if value, ok := lookup(name); ok && value != "" {
			return name, value, true
		}
	}
	return "", "", false
}

// decodeKey decodes one key into its field, so that a bad value is reported
// with the key's name and origin.
func decodeKey(v *viper.Viper, c *Config, name string) error {
	switch v.Get(name).(type) {
	case []any, map[string]any:
		return &Error{Key: name, Origin: c.Origins[name], Problem: "takes one value, not a list or section"}
	}
	// As text, whatever YAML made of it: true, 1 and "1" are told apart by the
	// field's type alone.
	section, field, _ := strings.Cut(name, ".")
	part := map[string]any{section: map[string]any{field: v.GetString(name)}}
	d, err := mapstructure.NewDecoder(&mapstructure.DecoderConfig{
		Result: c, WeaklyTypedInput: true, DecodeHook: decodeHook(),
	})
	if err != nil {
		return fmt.Errorf("decoding %s: %w", name, err)
	}
	if err := d.Decode(part); err != nil {
		return &Error{Key: name, Origin: c.Origins[name], Problem: plainDecodeError(err, v.GetString(name))}
	}
	return nil
}

func plainDecodeError(err error, value string) string {
	var de *mapstructure.DecodeError
	if errors.As(err, &de) {
		err = de.Unwrap()
	}
	s := err.Error()
	switch {
	case strings.Contains(s, "time: "):
		return fmt.Sprintf("%q is no duration: write it as 90s, 15m or 24h", value)
	case strings.Contains(s, "strconv.ParseInt"), strings.Contains(s, "cannot parse") && strings.Contains(s, "int"):
		return fmt.Sprintf("%q is no whole number", value)
	case strings.Contains(s, "strconv.ParseBool"):
		return fmt.Sprintf("%q is neither true nor false", value)
	}
	return s
}

// SecretKey returns the S3 secret, read from its file where one is named.
func (c *Config) SecretKey() (string, error) {
	if c.Storage.SecretKeyFile == "" {
		return c.Storage.SecretKey, nil
	}
	return readSecret("storage.secret_key_file", c.Storage.SecretKeyFile)
}

// APIKeys returns the keys in server.api_key_file, none when it isn't set.
func (c *Config) APIKeys() ([]string, error) {
	if c.Server.APIKeyFile == "" {
		return nil, nil
	}
	text, err := readSecret("server.api_key_file", c.Server.APIKeyFile)
	if err != nil {
		return nil, err
	}
	var keys []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") {
			if len(line) < 16 {
				return nil, &Error{Key: "server.api_key_file", Problem: "a key is shorter than 16 characters; make one with: openssl rand -hex 24"}
			}
			keys = append(keys, line)
		}
	}
	if len(keys) == 0 {
		return nil, &Error{Key: "server.api_key_file", Problem: c.Server.APIKeyFile + " holds no key; make one with: openssl rand -hex 24"}
	}
	return keys, nil
}

// AllowedHosts returns server.allowed_hosts as a list.
func (c *Config) AllowedHosts() []string {
	return words(c.Server.AllowedHosts)
}

func readSecret(key, path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", &Error{Key: key, Problem: err.Error()}
	}
	return strings.TrimSpace(string(b)), nil
}

// PlainURL takes the password out of a URL.
func PlainURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" && u.Path == "" {
		return "(not a URL)"
	}
	if _, has := u.User.Password(); has {
		u.User = url.UserPassword(u.User.Username(), "xxxxx")
	}
	q := u.Query()
	for name := range q {
		if strings.Contains(strings.ToLower(name), "password") {
			q.Set(name, "xxxxx")
		}
	}
	u.RawQuery = q.Encode()
	return u.String()
}
