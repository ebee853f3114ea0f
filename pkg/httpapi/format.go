package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/danielgtaylor/huma/v2"
)

// jsonFormat is how huma reads and writes bodies.
func jsonFormat() huma.Format {
	return huma.Format{Marshal: encodeJSON, Unmarshal: decodeJSON}
}

// encodeJSON writes v in one piece. That the client has gone away, or stopped
// reading, is no error of ours: the access log has how far it came.
func encodeJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("encoding an answer: %w", err)
	}
	_, _ = w.Write(b.Bytes())
	return nil
}

// decodeJSON meets in its second pass, into the handler's type, what a schema
// can't say, as 1e3 for an integer.
func decodeJSON(data []byte, v any) error {
	err := json.Unmarshal(data, v)
	var typ *json.UnmarshalTypeError
	if errors.As(err, &typ) {
		return fmt.Errorf("field %s can't be the JSON %s given", typ.Field, typ.Value)
	}
	return err
}
