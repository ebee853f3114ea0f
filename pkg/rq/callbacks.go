package rq

import (
	"fmt"
	"strings"
	"time"
)

// callbackTimeout is RQ's for a callback that names none (rq/defaults.py).
const callbackTimeout = time.Minute

// Callback is a function that the worker is to call when a job has ended.
type Callback struct {
	Func    string        // dotted path
	Timeout time.Duration // whole seconds; 0: RQ's 60 s
}

func (k *Callback) check(when string) error {
	if k == nil {
		return nil
	}
	if strings.TrimSpace(k.Func) == "" {
		return fmt.Errorf("callback on %s: no function named", when)
	}
	if k.Timeout < 0 {
		return fmt.Errorf("callback on %s: timeout %s: must not be negative", when, k.Timeout)
	}
	return nil
}

// callbackFields are the fields of all three: the names always, a timeout
// where there is a callback.
func (s Spec) callbackFields() []string {
	var names, timeouts []string
	for _, x := range []struct {
		when string
		k    *Callback
	}{{"success", s.OnSuccess}, {"failure", s.OnFailure}, {"stopped", s.OnStopped}} {
		name := ""
		if x.k != nil {
			name = x.k.Func
			timeout := callbackTimeout
			if x.k.Timeout > 0 {
				timeout = x.k.Timeout
			}
			timeouts = append(timeouts, x.when+"_callback_timeout", ttlSeconds(timeout))
		}
		names = append(names, x.when+"_callback_name", name)
	}
	return append(names, timeouts...)
}

func (s Spec) checkCallbacks() error {
	if err := s.OnSuccess.check("success"); err != nil {
		return err
	}
	if err := s.OnFailure.check("failure"); err != nil {
		return err
	}
	return s.OnStopped.check("stopped")
}

// takeCallbacks moves what is told of callbacks out of Extra. A timeout that
// cannot be read, or that belongs to no callback, stays there.
func (j *Job) takeCallbacks() {
	j.OnSuccess, j.OnFailure, j.OnStopped = j.takeCallback("success"), j.takeCallback("failure"), j.takeCallback("stopped")
}

func (j *Job) takeCallback(when string) *Callback {
	name := j.Extra[when+"_callback_name"]
	delete(j.Extra, when+"_callback_name")
	if name == "" {
		return nil
	}
	k := &Callback{Func: name, Timeout: callbackTimeout}
	field := when + "_callback_timeout"
	if n, ok := parseInt(j.Extra[field]); ok && n > 0 {
		k.Timeout = time.Duration(n) * time.Second
		delete(j.Extra, field)
	}
	return k
}
