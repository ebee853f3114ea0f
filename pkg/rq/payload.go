package rq

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/docsvc/docsvc/pkg/rq/pickle"
	"github.com/docsvc/docsvc/pkg/rq/pyjson"
)

// maxPayload is how many bytes a job's data may inflate to before it is
// refused as a bomb.
const maxPayload = 16 << 20

// argumentCut is after how many characters RQ cuts each argument in a
// description (rq/job.py, Job.get_call_string).
const argumentCut = 75

var errPayloadTooLarge = errors.New("payload is too large")

// encodePayload gives the data field of a job hash: the call (function,
// instance, args, kwargs), serialised and compressed as RQ does it. Inflated
// it is what Python would have written.
func encodePayload(s Serializer, fn string, args []any, kwargs map[string]any) ([]byte, error) {
	if args == nil {
		args = []any{}
	}
	if kwargs == nil {
		kwargs = map[string]any{}
	}
	return encodeCall(s, pickle.Tuple{fn, nil, pickle.Tuple(args), kwargs})
}

func encodeCall(s Serializer, call pickle.Tuple) ([]byte, error) {
	plain, err := encodeValue(s, call)
	if err != nil {
		return nil, fmt.Errorf("encoding the call of %s: %w", call[0], err)
	}
	return deflate(string(plain)) // level 6, as Python's zlib.compress
}

// decodePayload reads the data field of a job hash, compressed or not, in
// either serializer. Values inside args and kwargs are those of package
// pickle. The instance of a method call is not kept. It inflates at most
// maxPayload bytes.
func decodePayload(data []byte) (fn string, args []any, kwargs map[string]any, s Serializer, err error) {
	return decodePayloadUpTo(data, maxPayload)
}

func decodePayloadUpTo(data []byte, limit int) (fn string, args []any, kwargs map[string]any, s Serializer, err error) {
	plain, err := inflate(data, limit)
	if err != nil {
		return "", nil, nil, Pickle, fmt.Errorf("decoding payload: %w", err)
	}
	v, s, err := decodeValue(plain)
	if err != nil {
		return "", nil, nil, s, fmt.Errorf("decoding payload: %w", err)
	}
	fn, args, kwargs, err = splitCall(v)
	if err != nil {
		return "", nil, nil, s, fmt.Errorf("decoding payload: %w", err)
	}
	return fn, args, kwargs, s, nil
}

func inflate(data []byte, limit int) ([]byte, error) {
	z, err := zlib.NewReader(bytes.NewReader(data))
	if err != nil {
		// RQ takes what is not zlib as it is.
		if len(data) > limit {
			return nil, fmt.Errorf("%w: over %d bytes", errPayloadTooLarge, limit)
		}
		return data, nil
	}
	plain, err := io.ReadAll(io.LimitReader(z, int64(limit)+1))
	if len(plain) > limit {
		return nil, fmt.Errorf("%w: over %d bytes when inflated", errPayloadTooLarge, limit)
	}
	if err != nil && data[0] != 0x78 && len(data) <= limit {
		return data, nil // what RQ deflates begins so; a pickle may look like another header
	}
	if err != nil {
		return nil, fmt.Errorf("inflating: %w", err)
	}
	return plain, nil
}

// splitCall takes the sequence of four apart that a payload is.
func splitCall(v any) (fn string, args []any, kwargs map[string]any, err error) {
	parts, ok := sequence(v)
	if !ok || len(parts) != 4 {
		return "", nil, nil, errors.New("not a call of four parts")
	}
	if fn, ok = parts[0].(string); !ok {
		return "", nil, nil, errors.New("the function is not named by text")
	}
	if args, ok = sequence(parts[2]); !ok {
		return "", nil, nil, errors.New("the arguments are not a sequence")
	}
	dict, ok := parts[3].(pickle.Dict)
	if !ok {
		return "", nil, nil, errors.New("the keyword arguments are not a dict")
	}
	if kwargs, ok = dict.StringMap(); !ok {
		return "", nil, nil, errors.New("a keyword argument is not named by text")
	}
	return fn, args, kwargs, nil
}

func sequence(v any) ([]any, bool) {
	switch v := v.(type) {
	case pickle.Tuple:
		return v, true
	case []any:
		return v, true
	}
	return nil, false
}

// encodeValue serialises a value as RQ stores it in meta and, before base64,
// in return_value.
func encodeValue(s Serializer, v any) ([]byte, error) {
	if s == JSON {
		return pyjson.Encode(v)
	}
	return pickle.Encode(v)
}

// decodeValue reads what either serializer wrote and says which it was. A
// hash does not record that, but the two cannot be confused: from protocol 2
// on a pickle starts with 0x80, before that it ends in a full stop.
func decodeValue(data []byte) (any, Serializer, error) {
	if len(data) == 0 {
		return nil, Pickle, errors.New("no data")
	}
	if data[0] == 0x80 || data[len(data)-1] == '.' {
		v, err := pickle.Decode(data, pickle.Limits{})
		return v, Pickle, err
	}
	v, err := pyjson.Decode(data)
	return v, JSON, err
}

// callString describes a call as RQ does where no description was given
// (rq/utils.py, get_call_string): each argument as Python prints it, cut to
// 75 characters, keywords in the order of their text.
func callString(fn string, args []any, kwargs map[string]any) string {
	return describeCall(fn, args, kwargs, cutArgument)
}

func describeCall(fn string, args []any, kwargs map[string]any, cut func(string) string) string {
	parts := make([]string, 0, len(args)+len(kwargs))
	for _, a := range args {
		parts = append(parts, cut(pickle.Repr(a)))
	}
	for k, v := range kwargs {
		parts = append(parts, k+"="+cut(pickle.Repr(v)))
	}
	slices.Sort(parts[len(args):])
	return fn + "(" + strings.Join(parts, ", ") + ")"
}

func cutArgument(s string) string {
	if utf8.RuneCountInString(s) <= argumentCut {
		return s
	}
	return string([]rune(s)[:argumentCut]) + "..."
}
