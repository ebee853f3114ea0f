package rq

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/docsvc/docsvc/pkg/rq/pickle"
	"github.com/docsvc/docsvc/pkg/rq/pyjson"
	"github.com/docsvc/docsvc/pkg/rq/pyliteral"
)

// maxArgumentFile is how many bytes of an @file are read.
const maxArgumentFile = 16 << 20

// CommandLine is a call in the words of rq's command line, rq enqueue (rq/cli/
// cli.py). Texts are as typed, "" where an option was not given.
type CommandLine struct {
	Func string
	Args []string // see ParseArguments

	AtFront        bool
	DependsOn      []string
	Description    string
	FailureTTL     string // lengths of time: see ParseSeconds
	JobID          string
	Queue          string
	ResultTTL      string
	RetryIntervals []int // seconds
	RetryMax       *int  // nil: the queue's default
	ScheduleAt     string
	ScheduleIn     string
	Serializer     string // pickle, json or ""
	TTL            string
	Timeout        string
	Unique         bool // not rq's: refuse an id that exists
}

// Call is the call as rq's command line prints it, with nothing cut.
func (l CommandLine) call(args []any, keywords pickle.Dict) string {
	kwargs, _ := keywords.StringMap()
	return describeCall(l.Func, args, kwargs, func(s string) string { return s })
}

// Spec reads the command line and answers what to enqueue, and the call in
// words. Every error is one of what was typed.
func (l CommandLine) Spec(now time.Time) (s Spec, call string, err error) {
	args, keywords, err := ParseArguments(l.Args)
	if err != nil {
		return s, "", err
	}
	call = l.call(args, keywords)
	s = Spec{
		ID: l.JobID, Queue: l.Queue, Func: l.Func, Args: args, ArgsList: true, Keywords: keywords,
		Description: l.Description, AtFront: l.AtFront, DependsOn: l.DependsOn,
	}
	if s.Description == "" {
		s.Description = call
	}
	if l.Unique {
		if s.Unique = UniqueAny; l.JobID == "" {
			return s, "", errors.New("--unique goes with --job-id")
		}
	}
	switch l.Serializer {
	case "", "pickle":
	case "json":
		s.Serializer = JSON
	default:
		return s, "", fmt.Errorf("--serializer %s is not pickle or json", l.Serializer)
	}
	if err := l.lifetimes(&s); err != nil {
		return s, "", err
	}
	if err := l.retry(&s); err != nil {
		return s, "", err
	}
	if s.At, err = l.schedule(now); err != nil {
		return s, "", err
	}
	check := s
	if check.ID == "" {
		check.ID = newJobID()
	}
	if err := check.check(); err != nil {
		return s, "", err
	}
	if _, err := encodeCall(s.Serializer, s.call()); err != nil {
		return s, "", err
	}
	return s, call, nil
}

func (l CommandLine) lifetimes(s *Spec) error {
	for _, o := range []struct {
		name, text string
		set        func(time.Duration)
	}{
		{"--timeout", l.Timeout, func(d time.Duration) { s.Timeout = d }},
		{"--result-ttl", l.ResultTTL, func(d time.Duration) { s.ResultTTL = &d }},
		{"--failure-ttl", l.FailureTTL, func(d time.Duration) { s.FailureTTL = &d }},
		{"--ttl", l.TTL, func(d time.Duration) { s.TTL = &d }},
	} {
		if o.text == "" {
			continue
		}
		d, err := ParseSeconds(o.text)
		if err != nil {
			return fmt.Errorf("%s: %w", o.name, err)
		}
		o.set(d)
	}
	if l.Timeout != "" && s.Timeout == 0 {
		return errors.New("--timeout 0 is not allowed; -1 is no limit")
	}
	return nil
}

func (l CommandLine) retry(s *Spec) error {
	for _, n := range l.RetryIntervals {
		if n < 0 {
			return fmt.Errorf("--retry-interval %d is negative", n)
		}
	}
	if l.RetryMax == nil {
		return nil
	}
	s.Retry = &Retry{Max: max(*l.RetryMax, 0)} // none, even where the queue has some
	for _, n := range l.RetryIntervals {
		s.Retry.Intervals = append(s.Retry.Intervals, time.Duration(n)*time.Second)
	}
	return nil
}

// schedule reads --schedule-in and --schedule-at. A time without a zone is
// local, as with rq.
func (l CommandLine) schedule(now time.Time) (time.Time, error) {
	switch {
	case l.ScheduleIn != "" && l.ScheduleAt != "":
		return time.Time{}, errors.New("--schedule-in and --schedule-at exclude each other")
	case l.ScheduleIn != "":
		d, err := ParseSeconds(l.ScheduleIn)
		if err != nil {
			return time.Time{}, fmt.Errorf("--schedule-in: %w", err)
		}
		return now.Add(d), nil
	case l.ScheduleAt != "":
		if t, err := time.ParseInLocation("2006-1-2T15:4:5", l.ScheduleAt, time.Local); err == nil {
			return t, nil
		}
		t, err := time.Parse(time.RFC3339, l.ScheduleAt)
		if err != nil {
			return time.Time{}, fmt.Errorf("--schedule-at %s is not a time such as 2026-05-27T21:45:00", l.ScheduleAt)
		}
		return t, nil
	}
	return time.Time{}, nil
}

// ParseArguments reads arguments as rq's command line does (rq/cli/helpers.py,
// parse_function_args):
//
//	text     a text                 key=text     the same by keyword
//	:json    a JSON value           key:=json
//	%python  a Python literal       key%=python
//
// A value that begins with @ names the file that holds it.
func ParseArguments(words []string) (args []any, keywords pickle.Dict, err error) {
	args, keywords = []any{}, pickle.Dict{}
	for _, word := range words {
		key, named, text, mode := splitArgument(word)
		where := fmt.Sprintf("argument %d", len(args)+1)
		if named {
			where = "argument " + key
			if _, ok := keywords.Get(key); ok {
				return nil, nil, fmt.Errorf("%s is given twice", where)
			}
		}
		v, err := argumentValue(text, mode)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", where, err)
		}
		if named {
			keywords = append(keywords, pickle.Pair{Key: key, Value: v})
		} else {
			args = append(args, v)
		}
	}
	return args, keywords, nil
}

// splitArgument takes the form of an argument apart. mode is ':', '%' or 0.
func splitArgument(word string) (key string, named bool, text string, mode byte) {
	if word != "" && (word[0] == ':' || word[0] == '%') {
		return "", false, word[1:], word[0]
	}
	at := strings.IndexByte(word, '=')
	if at <= 0 {
		return "", false, word, 0
	}
	key, text = word[:at], word[at+1:]
	for _, m := range []byte{':', '%'} {
		if strings.IndexByte(word, m) == at-1 {
			return key[:at-1], true, text, m
		}
	}
	return key, true, text, 0
}

func argumentValue(text string, mode byte) (any, error) {
	if name, ok := strings.CutPrefix(text, "@"); ok {
		var err error
		if text, err = argumentFile(name); err != nil {
			return nil, err
		}
	}
	if !utf8.ValidString(text) {
		return nil, errors.New("not UTF-8 text")
	}
	switch mode {
	case ':':
		return pyjson.Decode([]byte(text))
	case '%':
		return pyliteral.Parse(text)
	}
	return text, nil
}

// argumentFile reads a file as Python's open does: every line ends in \n.
func argumentFile(name string) (string, error) {
	info, err := os.Stat(name)
	if err != nil {
		return "", err
	}
	if info.Size() > maxArgumentFile {
		return "", fmt.Errorf("file %s has over %d bytes", name, maxArgumentFile)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return "", err
	}
	return strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(b)), nil
}
