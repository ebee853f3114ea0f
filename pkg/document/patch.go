package document

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/docsvc/docsvc/pkg/rq"
)

// Patch changes what people say of a document. What is nil stays as it is; ""
// and an empty list clear.
type Patch struct {
	Title       *string   // at most 255 characters
	Description *string   // at most 1000 characters
	Tags        *[]string // at most 10 of at most 50 characters; replaces all
}

// validate checks a patch as Presign checks a new document.
func (p *Patch) validate() error {
	var title, description string
	var tags []string
	if p.Title != nil {
		title = *p.Title
	}
	if p.Description != nil {
		description = *p.Description
	}
	if p.Tags != nil {
		tags = *p.Tags
	}
	if err := validAbout(&title, &description, &tags); err != nil {
		return err
	}
	// Into variables of our own: the caller's stay as they are.
	if p.Title != nil {
		p.Title = &title
	}
	if p.Description != nil {
		p.Description = &description
	}
	if p.Tags != nil {
		p.Tags = &tags
	}
	return nil
}

// Patch changes a document in any state and returns its record. Of two at the
// same time the later one wins, field by field. Errors: Invalid with the field,
// NotFound, also when it is deleted meanwhile, Conflict (archived, busy),
// Unavailable.
func (s *Service) Patch(ctx context.Context, id string, p Patch) (*Document, error) {
	if err := p.validate(); err != nil {
		return nil, err
	}
	for range raceLimit {
		d, err := s.changeable(ctx, id)
		if err != nil {
			return nil, err
		}
		err = s.patch(ctx, d, p)
		var raced *rq.ConditionError
		if errors.As(err, &raced) {
			continue
		}
		return d, redisError("changing document "+id, err)
	}
	return nil, busy(id)
}

// patch makes the change in record and indexes and, once it is made, in d. A
// *rq.ConditionError says that the record was changed meanwhile.
func (s *Service) patch(ctx context.Context, d *Document, p Patch) error {
	changed, fields := *d, []string{}
	if p.Title != nil && *p.Title != d.Title {
		changed.Title, fields = *p.Title, append(fields, "title", *p.Title)
	}
	if p.Description != nil && *p.Description != d.Description {
		changed.Description, fields = *p.Description, append(fields, "description", *p.Description)
	}
	if p.Tags != nil && !slices.Equal(*p.Tags, d.Tags) {
		changed.Tags, fields = *p.Tags, append(fields, "tags", list(*p.Tags))
	}
	if len(fields) == 0 {
		return nil
	}
	e := s.outcome(d)
	e.set(fields...)
	for _, tag := range d.Tags {
		if !slices.Contains(changed.Tags, tag) {
			e.add(rq.ZRem(s.k.byTag(tag), d.ID))
		}
	}
	for _, tag := range changed.Tags {
		e.add(rq.ZAdd(s.k.byTag(tag), score(d.ID, d.CreatedAt), d.ID))
	}
	if d.Status != AwaitingUpload {
		// Also while it is worked on: that run may have read the record already.
		e.unsaved()
	}
	key := s.k.document(d.ID)
	conditions := []rq.Condition{
		{Guard: rq.Guard{Key: key, Field: "status", Is: string(d.Status)}},
		{Guard: rq.Guard{Key: key, Field: "job_id", Is: d.JobID}},
		{Guard: rq.Guard{Key: key, Field: "tags", Is: d.hash["tags"]}},
	}
	if err := s.queue.Apply(ctx, conditions, e.list, map[string]string{"document": d.ID, "reason": "patched"}); err != nil {
		return err
	}
	changed.UpdatedAt = e.at.UTC().Truncate(time.Microsecond)
	*d = changed
	return nil
}
