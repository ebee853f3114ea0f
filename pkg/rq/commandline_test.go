package rq

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq/pickle"
)

// argumentForms are command lines, and what rq's parser makes of them: the
// list of arguments and the dict of keywords, "" for an error. FILE is a file
// that holds {"a": [1,\r\n2]}, EMPTY an empty one.
var argumentForms = []struct {
	words []string
	want  string
}{
	{nil, "[] {}"},
	{[]string{"text", "1", "", "a b", "é", "@", "-"}, ""},
	{[]string{"text", "1", "", "a b", "é"}, "['text', '1', '', 'a b', 'é'] {}"},
	{[]string{"a=1", "b:=1", "c%=1"}, "[] {'a': '1', 'b': 1, 'c': 1}"},
	{[]string{":1", ":null", `:{"a": [1, 2.5, true]}`, ":NaN", `:"x"`, ": 1 "}, "[1, None, {'a': [1, 2.5, True]}, nan, 'x', 1] {}"},
	{[]string{":"}, ""}, {[]string{":{"}, ""}, {[]string{":'x'"}, ""}, {[]string{":1 2"}, ""},
	{[]string{"%1", "%(1, 'a')", "%{1: b'x'}", "%None", "% [1]"}, "[1, (1, 'a'), {1: b'x'}, None, [1]] {}"},
	{[]string{"%"}, ""}, {[]string{"%x"}, ""}, {[]string{"%1+1"}, ""},
	{[]string{"=x"}, "['=x'] {}"}, {[]string{"=:x"}, "['=:x'] {}"}, {[]string{"a="}, "[] {'a': ''}"}, {[]string{"a:="}, ""}, {[]string{"a=b=c"}, "[] {'a': 'b=c'}"},
	{[]string{"a:b=c"}, "[] {'a:b': 'c'}"}, {[]string{"a:b:=1"}, "[] {'a:b:': '1'}"}, {[]string{"a%b%=1"}, "[] {'a%b%': '1'}"}, {[]string{"a=b:=1"}, "[] {'a': 'b:=1'}"},
	{[]string{"a%b:=1"}, "[] {'a%b': 1}"}, {[]string{"a:b%=1"}, "[] {'a:b': 1}"}, {[]string{"http://x/y"}, "['http://x/y'] {}"}, {[]string{"http://x/?y=z"}, "[] {'http://x/?y': 'z'}"},
	{[]string{":=x"}, ""}, {[]string{"%=1"}, ""}, {[]string{"é:=1"}, "[] {'é': 1}"}, {[]string{"b=2", "a=1"}, "[] {'b': '2', 'a': '1'}"},
	{[]string{"a=1", "a=2"}, ""}, {[]string{"a=1", "a:=2"}, ""}, {[]string{"x", "a=1", "y"}, "['x', 'y'] {'a': '1'}"},
	{[]string{"@FILE"}, `['{"a": [1,\n2]}'] {}`}, {[]string{":@FILE"}, "[{'a': [1, 2]}] {}"}, {[]string{"%@FILE"}, "[{'a': [1, 2]}] {}"},
	{[]string{"k=@FILE", "j:=@FILE"}, `[] {'k': '{"a": [1,\n2]}', 'j': {'a': [1, 2]}}`}, {[]string{"@EMPTY"}, "[''] {}"}, {[]string{":@EMPTY"}, ""},
	{[]string{"@/does/not/exist"}, ""}, {[]string{"k=@/does/not/exist"}, ""}, {[]string{"x@FILE"}, "['x@FILE'] {}"},
}

// argumentFiles puts the files in place that the forms name.
func argumentFiles(t *testing.T) func(words []string) []string {
	dir := t.TempDir()
	for name, text := range map[string]string{"FILE": "{\"a\": [1,\r\n2]}", "EMPTY": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return func(words []string) []string {
		out := make([]string, len(words))
		for i, w := range words {
			out[i] = w
			if !strings.HasPrefix(w, "x") {
				out[i] = strings.NewReplacer("@FILE", "@"+dir+"/FILE", "@EMPTY", "@"+dir+"/EMPTY").Replace(w)
			}
		}
		return out
	}
}

func TestParseArguments(t *testing.T) {
	t.Parallel()
	files := argumentFiles(t)
	for _, c := range argumentForms {
		args, keywords, err := ParseArguments(files(c.words))
		got := ""
		if err == nil {
			got = pickle.Repr(args) + " " + pickle.Repr(keywords)
		}
		if got != c.want {
			t.Errorf("%q: %s, %v, want %s", c.words, got, err, c.want)
		}
	}
	if _, _, err := ParseArguments([]string{"a\xff"}); err == nil {
		t.Error("text that is not UTF-8 was taken")
	}
	if _, _, err := ParseArguments([]string{"@."}); err == nil {
		t.Error("a directory was read")
	}
}

const parseArguments = `
import json, sys
from rq.cli.helpers import parse_function_args
def one(words):
    try:
        args, kwargs = parse_function_args(words)
        return repr(args) + ' ' + repr(kwargs)
    except BaseException:
        return ''
json.dump([one(w) for w in json.load(sys.stdin)], sys.stdout)
`

func TestParseArgumentsAgainstPython(t *testing.T) {
	t.Parallel()
	files := argumentFiles(t)
	var asked [][]string
	for _, c := range argumentForms {
		asked = append(asked, append([]string{}, files(c.words)...))
	}
	in, err := json.Marshal(asked)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(redistest.Python(t), "-I", "-X", "utf8", "-c", parseArguments)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	for i, c := range argumentForms {
		if got[i] != c.want {
			t.Errorf("Python makes %s of %q, the table says %s", got[i], c.words, c.want)
		}
	}
}

func TestCommandLineSpec(t *testing.T) {
	t.Parallel()
	three := 3
	s, call, err := CommandLine{
		Func: "app.work", Args: []string{strings.Repeat("x", 100), "b=1", "a:=[2]"}, Queue: "q", AtFront: true, Timeout: "1h", ResultTTL: "-1",
		FailureTTL: "0", TTL: "2d", RetryMax: &three, RetryIntervals: []int{10, 20}, ScheduleIn: "5m", Serializer: "json", DependsOn: []string{"p"},
	}.Spec(noon)
	if want := "app.work('" + strings.Repeat("x", 100) + "', a=[2], b='1')"; err != nil || call != want || s.Description != want {
		t.Errorf("%v: call %q, description %q", err, call, s.Description)
	}
	if s.Timeout != time.Hour || *s.ResultTTL != -time.Second || *s.FailureTTL != 0 || *s.TTL != 48*time.Hour || s.Retry.Max != 3 || len(s.Retry.Intervals) != 2 ||
		!s.At.Equal(noon.Add(5*time.Minute)) || s.Serializer != JSON || !s.AtFront || !s.ArgsList || s.Keywords[0].Key != "b" || s.DependsOn[0] != "p" {
		t.Errorf("%+v", s)
	}
	for at, want := range map[string]time.Time{
		"2030-05-27T21:45:00": time.Date(2030, 5, 27, 21, 45, 0, 0, time.Local), "2030-5-7T1:2:3": time.Date(2030, 5, 7, 1, 2, 3, 0, time.Local),
		"2030-05-27T21:45:00+02:00": time.Date(2030, 5, 27, 19, 45, 0, 0, time.UTC),
	} {
		if s, _, err := (CommandLine{Func: "f", Queue: "q", ScheduleAt: at}).Spec(noon); err != nil || !s.At.Equal(want) {
			t.Errorf("%s: %s, %v", at, s.At, err)
		}
	}
	minus := -1
	for text, l := range map[string]CommandLine{
		"--timeout 0 is not allowed":           {Timeout: "0"},
		"--timeout: \"soon\"":                  {Timeout: "soon"},
		"--result-ttl: ":                       {ResultTTL: "1w"},
		"ttl 0s: must be positive":             {TTL: "0"},
		"--retry-interval -1 is negative":      {RetryIntervals: []int{-1}, RetryMax: &minus},
		"exclude each other":                   {ScheduleIn: "1", ScheduleAt: "2030-05-27T21:45:00"},
		"--schedule-at tomorrow is not a time": {ScheduleAt: "tomorrow"},
		"--schedule-in: ":                      {ScheduleIn: "soon"},
		"--serializer xml is not":              {Serializer: "xml"},
		"has no form in JSON":                  {Serializer: "json", Args: []string{"%b'x'"}},
		"--unique goes with --job-id":          {Unique: true},
		"a unique job can't depend":            {Unique: true, JobID: "j", DependsOn: []string{"p"}},
		"depends on: job id \"a b\"":           {DependsOn: []string{"a b"}},
		"can't depend on itself":               {JobID: "j", DependsOn: []string{"j"}},
		"only letters, digits":                 {JobID: "a:b"},
		"argument a is given twice":            {Args: []string{"a=1", "a=2"}},
	} {
		l.Func, l.Queue = "f", "q"
		if _, _, err := l.Spec(noon); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: got %v", text, err)
		}
	}
	if s, _, err := (CommandLine{Func: "f", Queue: "q", RetryMax: &minus}).Spec(noon); err != nil || s.Retry == nil || s.Retry.Max != 0 {
		t.Errorf("no retries: %+v, %v", s.Retry, err)
	}
	if _, _, err := (CommandLine{Queue: "q"}).Spec(noon); err == nil {
		t.Error("no function: no error")
	}
}
