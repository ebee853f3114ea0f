package config

import (
	"cmp"
	"strconv"
	"strings"
)

// Value is one setting as `docsvc config print` shows it.
type Value struct {
	Key    string `json:"key" yaml:"key"`
	Value  string `json:"value" yaml:"value"`
	Origin string `json:"origin" yaml:"origin"`
}

// Values lists every setting with its origin; secrets are masked.
func (c *Config) Values() []Value {
	var out []Value
	for _, k := range Keys() {
		value := c.values[k.Name]
		switch {
		case k.Name == "redis.url":
			value = PlainURL(value)
		case k.Secret && value != "":
			value = "xxxxx"
		}
		out = append(out, Value{Key: k.Name, Value: value, Origin: c.Origins[k.Name]})
	}
	for _, q := range c.Queues {
		var intervals []string
		for _, d := range q.RetryIntervals {
			intervals = append(intervals, d.String())
		}
		out = append(out, Value{Key: "queues." + q.Name, Origin: cmp.Or(c.Origins["queues"], "default"),
			Value: "timeout " + q.Timeout.String() + ", retries " + strconv.Itoa(*q.Retries) + " after " + strings.Join(intervals, ", ") +
				", result_ttl " + q.ResultTTL.String() + ", failure_ttl " + q.FailureTTL.String()})
	}
	return out
}
