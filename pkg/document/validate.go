package document

import (
	"encoding/hex"
	"mime"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of what is said of a document, in characters; of MaxTags, in tags.
const (
	MaxTitle       = 255
	MaxDescription = 1000
	MaxTags        = 10
	MaxTag         = 50

	maxFilename    = 255
	maxContentType = 255
	maxPassword    = 1024
)

// validate checks an upload and brings it into the form that is stored.
func (s *Service) validate(n *NewUpload) error {
	if err := validFilename(n.Filename); err != nil {
		return err
	}
	if n.FileSize < 1 || n.FileSize > s.c.MaxFileSize {
		return invalid("file_size", "file_size must be between 1 and %d bytes, got %d.", s.c.MaxFileSize, n.FileSize)
	}
	if err := s.validType(n); err != nil {
		return err
	}
	if err := validAbout(&n.Title, &n.Description, &n.Tags); err != nil {
		return err
	}
	sum, err := validSHA256("sha256", n.SHA256)
	n.SHA256 = sum
	if err == nil && n.Resume && sum == "" {
		return invalid("resume", "resume needs sha256: it is how the document is found again.")
	}
	return err
}

// validAbout checks what people say of a document, and trims it. Tags come out
// each once, and never nil.
func validAbout(title, description *string, tags *[]string) error {
	for _, f := range []struct {
		name string
		text *string
		max  int
	}{{"title", title, MaxTitle}, {"description", description, MaxDescription}} {
		*f.text = strings.TrimSpace(*f.text)
		if err := validText(f.name, *f.text, f.max); err != nil {
			return err
		}
	}
	valid, err := validTags(*tags)
	*tags = valid
	return err
}

// validFilename refuses what is not the plain name of a file. A name is never
// used as a path here, but others will save the file under it.
func validFilename(name string) error {
	switch n := utf8.RuneCountInString(name); {
	case strings.TrimSpace(name) == "":
		return invalid("filename", "filename must not be empty.")
	case n > maxFilename:
		return invalid("filename", "filename must have at most %d characters, got %d.", maxFilename, n)
	case strings.ContainsAny(name, `/\`) || name == "." || name == "..":
		return invalid("filename", "filename must be a plain name without a path, got %s.", printable(name))
	}
	return validText("filename", name, maxFilename)
}

// validText refuses what can't be shown: broken UTF-8, control characters
// but for line breaks and tabs in longer texts, and characters that turn the
// direction of what follows (a name ending in "fdp.exe" that reads "exe.pdf").
func validText(field, text string, limit int) error {
	if !utf8.ValidString(text) {
		return invalid(field, "%s must be valid UTF-8.", field)
	}
	if n := utf8.RuneCountInString(text); n > limit {
		return invalid(field, "%s must have at most %d characters, got %d.", field, limit, n)
	}
	for _, r := range text {
		if field == "description" && (r == '\n' || r == '\r' || r == '\t') {
			continue
		}
		if hidden(r) {
			return invalid(field, "%s must not contain control characters, found U+%04X.", field, r)
		}
	}
	return nil
}

// hidden reports what is not shown but acted on: control characters, line and
// paragraph separators, and what turns the direction of writing.
func hidden(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}

func validTags(given []string) ([]string, error) {
	tags := []string{}
	if len(given) > MaxTags {
		return tags, invalid("tags", "At most %d tags, got %d.", MaxTags, len(given))
	}
	for _, tag := range given {
		tag = strings.TrimSpace(tag)
		if tag == "" {
			return tags, invalid("tags", "A tag must not be empty.")
		}
		if err := validText("tags", tag, MaxTag); err != nil {
			return tags, err
		}
		if !slices.Contains(tags, tag) {
			tags = append(tags, tag)
		}
	}
	return tags, nil
}

func (s *Service) validType(n *NewUpload) error {
	n.ContentType = strings.TrimSpace(n.ContentType)
	if err := validText("content_type", n.ContentType, maxContentType); err != nil {
		return err
	}
	if n.ContentType != "" {
		if _, _, err := mime.ParseMediaType(n.ContentType); err != nil {
			return invalid("content_type", "content_type must look like application/pdf, got %s.", printable(n.ContentType))
		}
	}
	if s.c.Accept(n.ContentType, n.Filename) {
		return nil
	}
	err := invalid("content_type", "Documents of type %s are not supported.", printable(n.ContentType))
	err.Code = CodeUnsupportedType
	if len(s.c.Types) > 0 {
		err.Detail += " Supported are " + strings.Join(s.c.Types, ", ") + "; with application/octet-stream the content decides."
	}
	return err
}

// validSHA256 returns the sum in lower case.
func validSHA256(field, text string) (string, error) {
	if text == "" {
		return "", nil
	}
	text = strings.ToLower(strings.TrimSpace(text))
	if b, err := hex.DecodeString(text); err != nil || len(b) != 32 {
		return "", invalid(field, "%s must be a SHA-256 of 64 hexadecimal digits.", field)
	}
	return text, nil
}
