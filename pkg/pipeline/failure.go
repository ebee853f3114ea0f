package pipeline

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/extract"
	"github.com/docsvc/docsvc/pkg/objstore"
	"github.com/docsvc/docsvc/pkg/rq"
	"github.com/docsvc/docsvc/pkg/worker"
)

// Codes of failures that this package finds; others come from packages
// document and extract/block.
const (
	CodeBadArguments  = "bad_arguments"
	CodeUploadGone    = document.CodeUploadGone
	CodeUploadChanged = "upload_changed"
	CodeObjectMissing = document.CodeObjectMissing
	CodeObjectChanged = "object_changed"
	CodeHashMismatch  = "hash_mismatch"
	CodeStorage       = document.CodeStorageUnavailable
	CodeRedis         = document.CodeQueueUnavailable
	CodeDiskFull      = "disk_full"
	CodeExtractor     = "extractor_unavailable"
	CodeChunking      = "chunking"
)

// permanent, transient and waiting make a Failure of that class. Like those of
// package extract the texts are sentences: they become the document's error.
func permanent(code, format string, args ...any) error {
	return &worker.Failure{Class: worker.Permanent, Code: code, Err: fmt.Errorf(format, args...)}
}

func transient(code, format string, args ...any) error {
	return &worker.Failure{Class: worker.Transient, Code: code, Err: fmt.Errorf(format, args...)}
}

// waiting is for what keeps every document from being processed, not just
// this one: an outage must not use up anybody's retries.
func waiting(code, format string, args ...any) error {
	return &worker.Failure{Class: worker.Waiting, Code: code, Err: fmt.Errorf(format, args...)}
}

// classify says how an error of any step is treated, in words for whoever
// sent the document. Errors that are Failures already, the end of the context
// and a lost execution pass through.
func classify(ctx context.Context, err error) error {
	var failure *worker.Failure
	var space *spaceError
	var extracted *extract.Error
	var doc *document.Error
	switch {
	case errors.As(err, &failure), ctx.Err() != nil, errors.Is(err, rq.ErrLateFinish):
		return err
	case errors.As(err, &extracted):
		class := worker.Permanent
		if extracted.Resource() {
			class = worker.Resource
		}
		return &worker.Failure{Class: class, Code: extracted.Code, Err: err}
	case errors.As(err, &doc):
		return classifyRecord(doc, err)
	case errors.As(err, &space):
		return waiting(CodeDiskFull, "%w", err)
	case errors.Is(err, syscall.EFBIG):
		return waiting(CodeDiskFull, "The worker may not write a file of this size: %w. Raise its limit (ulimit -f), or set worker.work_dir to a file system that takes such files.", err)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return waiting(CodeDiskFull, "The worker's disk is full: %w. Free some space in worker.work_dir.", err)
	case errors.Is(err, objstore.ErrNotFound):
		return permanent(CodeUploadGone, "The uploaded file is not in storage any more. Upload it again as a new document.")
	case errors.Is(err, objstore.ErrChanged):
		return permanent(CodeUploadChanged, "The uploaded file was replaced after processing had been asked for. Upload it again as a new document.")
	case errors.Is(err, objstore.ErrUnavailable):
		return waiting(CodeStorage, "Waiting for storage: %w", err)
	case rq.IsUnavailable(err):
		return waiting(CodeRedis, "Waiting for Redis: %w", err)
	}
	return err
}

func classifyRecord(doc *document.Error, err error) error {
	switch {
	case doc.Kind == document.Unavailable, doc.Code == document.CodeOtherInstallation, doc.Code == document.CodeRecordsMissing:
		// The last two hold for every document, until somebody has put it right.
		return &worker.Failure{Class: worker.Waiting, Code: doc.Code, Err: err}
	case doc.Kind == document.Internal:
		return &worker.Failure{Class: worker.Transient, Code: doc.Code, Err: err}
	default:
		code := doc.Code
		if code == document.CodeInvalid {
			code = CodeBadArguments // of the job: nothing else is asked for here
		}
		return &worker.Failure{Class: worker.Permanent, Code: code, Err: err}
	}
}
