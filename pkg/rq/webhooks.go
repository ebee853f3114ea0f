package rq

import (
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"github.com/docsvc/docsvc/pkg/rq/pickle"
	"github.com/docsvc/docsvc/pkg/rq/pyjson"
)

// webhookTimeout is RQ's for a webhook that names none (rq/webhook.py).
const webhookTimeout = 10 * time.Second

// Webhook is an HTTP request that the worker is to make when a job has
// finished or failed.
type Webhook struct {
	URL     string            // http or https
	Status  Status            // StatusFinished or StatusFailed
	Method  string            // "GET" or "POST"; empty: GET
	Headers map[string]string // nil: none of its own
	Timeout time.Duration     // whole seconds; 0: RQ's 10 s
}

// check refuses what RQ refuses.
func (h Webhook) check() error {
	u, err := url.Parse(h.URL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return fmt.Errorf("webhook %q: must be an http:// or https:// URL", h.URL)
	}
	if h.Status != StatusFinished && h.Status != StatusFailed {
		return fmt.Errorf("webhook %s: for jobs that are %q: must be %s or %s", h.URL, h.Status, StatusFinished, StatusFailed)
	}
	if h.Method != "" && h.Method != "GET" && h.Method != "POST" {
		return fmt.Errorf("webhook %s: method %q: must be GET or POST", h.URL, h.Method)
	}
	if h.Timeout < 0 {
		return fmt.Errorf("webhook %s: timeout %s: must not be negative", h.URL, h.Timeout)
	}
	return nil
}

// webhookFields is the field of the job hash, none without webhooks.
func (s Spec) webhookFields() ([]string, error) {
	if len(s.Webhooks) == 0 {
		return nil, nil
	}
	list := make([]any, len(s.Webhooks))
	for i, h := range s.Webhooks {
		if err := h.check(); err != nil {
			return nil, err
		}
		method, timeout, headers := h.Method, h.Timeout, any(nil)
		if method == "" {
			method = "GET"
		}
		if timeout == 0 {
			timeout = webhookTimeout
		}
		if h.Headers != nil {
			d := pickle.Dict{}
			for _, k := range sortedKeys(h.Headers) {
				d = append(d, pickle.Pair{Key: k, Value: h.Headers[k]})
			}
			headers = d
		}
		list[i] = pickle.Dict{{Key: "url", Value: h.URL}, {Key: "job_status", Value: string(h.Status)}, {Key: "method", Value: method},
			{Key: "headers", Value: headers}, {Key: "timeout", Value: wholeSeconds(timeout)}}
	}
	text, err := pyjson.Encode(list)
	if err != nil {
		return nil, fmt.Errorf("encoding webhooks: %w", err)
	}
	return []string{"webhooks", string(text)}, nil
}

// setWebhooks reads the field. As in RQ one entry that cannot be read spoils
// them all: the text then stays in Extra.
func (j *Job) setWebhooks(value string) bool {
	var list []struct {
		URL     string            `json:"url"`
		Status  Status            `json:"job_status"`
		Method  string            `json:"method"`
		Headers map[string]string `json:"headers"`
		Timeout *int64            `json:"timeout"`
	}
	if json.Unmarshal([]byte(value), &list) != nil {
		return false
	}
	hooks := make([]Webhook, len(list))
	for i, x := range list {
		h := Webhook{URL: x.URL, Status: x.Status, Method: x.Method, Headers: x.Headers, Timeout: webhookTimeout}
		if h.Method == "" {
			h.Method = "GET"
		}
		if x.Timeout != nil {
			h.Timeout = time.Duration(*x.Timeout) * time.Second
		}
		if h.Timeout <= 0 || h.Timeout > 24*time.Hour || h.check() != nil {
			return false
		}
		hooks[i] = h
	}
	j.Webhooks = hooks
	return true
}
