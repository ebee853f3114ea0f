package extract

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/detect"
	"github.com/docsvc/docsvc/pkg/extract/eml"
	mails "github.com/docsvc/docsvc/pkg/extract/mail"
	"github.com/docsvc/docsvc/pkg/extract/msg"
)

// unpackMessage asks for the files that a document carries.
type unpackMessage struct {
	Format     string `json:"format"` // of the document
	Images     bool   `json:"images"` // too
	MaxFiles   int    `json:"max_files"`
	MaxSize    int64  `json:"max_size"`  // of one, in bytes
	MaxTotal   int64  `json:"max_total"` // of all
	MaxNesting int    `json:"max_nesting"`
	MaxParts   int    `json:"max_parts"`
}

// fileMessage begins a file.
type fileMessage struct {
	Path      string `json:"path"`
	Name      string `json:"name"`
	MediaType string `json:"media_type"`
	Size      int64  `json:"size"` // bytes that follow
}

// unpacker takes the files out of documents of a format; nil when they carry
// none.
func unpacker(format string) func(context.Context, *os.File, int64, block.Options, func(mails.File) error) error {
	switch format {
	case detect.EML:
		return eml.Unpack
	case detect.MSG:
		return msg.Unpack
	}
	return nil
}

func (s *childServer) handleUnpack(ctx context.Context, r request) error {
	var m unpackMessage
	if err := decode(r.t, r.payload, &m); err != nil {
		return err
	}
	if r.file == nil {
		return fmt.Errorf("%w: a document to unpack without a descriptor", errFrame)
	}
	if err := s.out.send(frameAccepted, nil); err != nil {
		return err
	}
	err := s.unpack(ctx, m, r.file)
	returnMemory()
	return s.end(err)
}

// errEnough ends unpacking where a bound on all files is reached.
var errEnough = errors.New("enough files")

func (s *childServer) unpack(ctx context.Context, m unpackMessage, f *os.File) error {
	unpack := unpacker(m.Format)
	if unpack == nil {
		return block.Errorf(block.CodeUnsupported, "Documents of the format %s carry no files.", m.Format)
	}
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("reading the document: %w", err)
	}
	o := s.options()
	o.MaxNesting, o.MaxParts = m.MaxNesting, m.MaxParts
	files, total := 0, int64(0)
	err = unpack(ctx, f, info.Size(), o, func(file mails.File) error {
		if err := s.out.send(frameProgress, progressMessage{Page: files}); err != nil {
			return err
		}
		data, cut, err := file.Read(m.MaxSize)
		name := file.Name
		if name == "" {
			name = "unnamed"
		}
		switch {
		case err != nil:
			return err
		case cut:
			return s.out.send(frameWarning, fmt.Sprintf("attachment %q is no document of its own: it has more than %s", name, sizeText(m.MaxSize)))
		case len(data) == 0:
			return nil
		}
		found, err := s.detect(bytes.NewReader(data), int64(len(data)), file.Name, file.MediaType)
		var coded *block.Error
		switch {
		case errors.As(err, &coded), err == nil && found.Format == detect.Image && !m.Images:
			return nil // a signature, a recording: it stays listed in the text
		case err != nil:
			return err
		}
		if files++; files > m.MaxFiles || total+int64(len(data)) > m.MaxTotal {
			return errEnough
		}
		total += int64(len(data))
		return s.sendFile(fileMessage{Path: file.Path, Name: file.Name, MediaType: file.MediaType, Size: int64(len(data))}, data)
	})
	if errors.Is(err, errEnough) {
		return s.out.send(frameWarning, fmt.Sprintf("the mail has more attachments than become documents of their own (%d, %s in all); the others are only listed", m.MaxFiles, sizeText(m.MaxTotal)))
	}
	return err
}

// sendFile sends a file in pieces. The parent takes them as fast as it uses them.
func (s *childServer) sendFile(m fileMessage, data []byte) error {
	if err := s.out.send(frameFile, m); err != nil {
		return err
	}
	for len(data) > 0 {
		n := min(len(data), maxPiece)
		if err := s.out.sendBytes(frameFileData, data[:n]); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}
