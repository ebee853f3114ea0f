package document

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// archived reads the record of a document that was moved out of Redis. Ids
// that docsvc has not made cost no request to the store.
func (s *Service) archived(ctx context.Context, id string) (*Document, error) {
	if u, err := uuid.Parse(id); err != nil || u.Version() != 7 {
		return nil, notFound(id)
	}
	if gone, err := s.wasDeleted(ctx, id); err != nil || gone {
		if err == nil {
			err = notFound(id)
		}
		return nil, err
	}
	m, err := s.readManifest(ctx, id, manifestKey(id, ArchivedExecution))
	if isGone(err) {
		return nil, notFound(id)
	}
	if err != nil {
		return nil, err
	}
	if m.ArchivedAt.IsZero() {
		m.ArchivedAt = m.stamp()
	}
	return m.document()
}

// changeable returns the record of a document that is to be changed: one that
// is archived is Conflict archived.
func (s *Service) changeable(ctx context.Context, id string) (*Document, error) {
	d, err := s.Record(ctx, id)
	if !isNotFound(err) {
		return d, err
	}
	if d, err = s.archived(ctx, id); err != nil {
		return nil, err
	}
	return nil, archivedError(d)
}

func archivedError(d *Document) *Error {
	return &Error{Kind: Conflict, Code: CodeArchived, State: d.Status, Detail: fmt.Sprintf(
		"Document %s was archived at %s and can only be read. Bring it back with: docsvc documents rebuild --id %s",
		d.ID, d.ArchivedAt.Format(time.RFC3339), d.ID)}
}
