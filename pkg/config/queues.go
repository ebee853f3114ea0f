package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/viper"
)

// The queues docsvc always has.
const (
	DocumentQueue = "document_processing"
	CleanupQueue  = "cleanup_tasks"
)

// Queue is one configured queue. Zero fields of a queue in the file take the
// defaults of DefaultQueues (for a queue of another name, those of documents).
type Queue struct {
	Name           string          `mapstructure:"name" yaml:"name"`
	Timeout        time.Duration   `mapstructure:"timeout" yaml:"timeout"`                 // of one run of a job
	Retries        *int            `mapstructure:"retries" yaml:"retries"`                 // after a failure that may pass
	RetryIntervals []time.Duration `mapstructure:"retry_intervals" yaml:"retry_intervals"` // whole seconds
	ResultTTL      time.Duration   `mapstructure:"result_ttl" yaml:"result_ttl"`           // of a finished job
	FailureTTL     time.Duration   `mapstructure:"failure_ttl" yaml:"failure_ttl"`         // of a failed job
}

// DefaultQueues returns the two queues docsvc always has.
func DefaultQueues() []Queue {
	three, two := 3, 2
	return []Queue{
		{Name: DocumentQueue, Timeout: 30 * time.Minute, Retries: &three,
			RetryIntervals: []time.Duration{10 * time.Second, time.Minute, 5 * time.Minute},
			ResultTTL:      24 * time.Hour, FailureTTL: 30 * 24 * time.Hour},
		{Name: CleanupQueue, Timeout: 5 * time.Minute, Retries: &two,
			RetryIntervals: []time.Duration{10 * time.Second, time.Minute},
			ResultTTL:      24 * time.Hour, FailureTTL: 30 * 24 * time.Hour},
	}
}

// QueueNames lists the configured queues, docsvc's own two first.
func (c *Config) QueueNames() []string {
	names := make([]string, 0, len(c.Queues))
	for _, q := range c.Queues {
		names = append(names, q.Name)
	}
	return names
}

var queueName = regexp.MustCompile(`^[A-Za-z0-9_.\-]{1,100}$`)

// decodeQueues lays the file's list over the defaults. It is a list and not
// a map because viper folds the case of map keys.
func decodeQueues(v *viper.Viper, c *Config) error {
	c.Queues = DefaultQueues()
	if !v.InConfig("queues") {
		return nil
	}
	c.Origins["queues"] = "file " + c.File
	var given []Queue
	d, err := mapstructure.NewDecoder(&mapstructure.DecoderConfig{
		Result: &given, WeaklyTypedInput: true, ErrorUnused: true, DecodeHook: decodeHook(),
	})
	if err != nil {
		return fmt.Errorf("decoding queues: %w", err)
	}
	if err := d.Decode(v.Get("queues")); err != nil {
		return &Error{Key: "queues", Origin: "file " + c.File, Problem: oneLine(err.Error())}
	}
	for _, q := range given {
		if !queueName.MatchString(q.Name) {
			return &Error{Key: "queues", Origin: "file " + c.File,
				Problem: fmt.Sprintf("name %q: a queue needs a name of letters, digits, _, - and .", q.Name)}
		}
		i := slices.IndexFunc(c.Queues, func(have Queue) bool { return have.Name == q.Name })
		if i < 0 {
			base := DefaultQueues()[0]
			base.Name = q.Name
			c.Queues = append(c.Queues, base)
			i = len(c.Queues) - 1
		}
		c.Queues[i].overlay(q)
		if err := c.Queues[i].validate(c.File); err != nil {
			return err
		}
	}
	return nil
}

func (q *Queue) overlay(o Queue) {
	if o.Timeout != 0 {
		q.Timeout = o.Timeout
	}
	if o.Retries != nil {
		q.Retries = o.Retries
	}
	if o.RetryIntervals != nil {
		q.RetryIntervals = o.RetryIntervals
	}
	if o.ResultTTL != 0 {
		q.ResultTTL = o.ResultTTL
	}
	if o.FailureTTL != 0 {
		q.FailureTTL = o.FailureTTL
	}
}

func (q *Queue) validate(file string) error {
	bad := func(format string, args ...any) error {
		return &Error{Key: "queues", Origin: "file " + file, Problem: q.Name + ": " + fmt.Sprintf(format, args...)}
	}
	for name, d := range map[string]time.Duration{"timeout": q.Timeout, "result_ttl": q.ResultTTL, "failure_ttl": q.FailureTTL} {
		if d < time.Second {
			return bad("%s must be at least 1s, not %s", name, d)
		}
	}
	if *q.Retries < 0 || *q.Retries > 100 {
		return bad("retries must be 0 to 100, not %d", *q.Retries)
	}
	for _, d := range q.RetryIntervals {
		if d < 0 || d%time.Second != 0 {
			return bad("retry_intervals are whole seconds, not %s", d)
		}
	}
	return nil
}

// oneLine joins the lines of a decoder's message, which would tear a log line apart.
func oneLine(s string) string {
	_, list, found := strings.Cut(s, "\n\n")
	if !found {
		list = s
	}
	return strings.Join(strings.Fields(list), " ")
}
