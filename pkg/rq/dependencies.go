package rq

import (
	"errors"
	"fmt"

	"github.com/docsvc/docsvc/pkg/rq/pyjson"
)

func (s Spec) checkDependencies() error {
	for _, id := range s.DependsOn {
		if err := checkJobID(id); err != nil {
			return fmt.Errorf("depends on: %w", err)
		}
		if id == s.ID {
			return fmt.Errorf("job %s can't depend on itself", id)
		}
	}
	if s.Unique != UniqueNo && len(s.DependsOn) > 0 {
		return errors.New("a unique job can't depend on others")
	}
	if (s.AllowFailure || s.DependentAtFront) && len(s.DependsOn) == 0 {
		return errors.New("says how it waits for other jobs, and names none")
	}
	return nil
}

// dependencyFields are those of the job hash. RQ writes the two flags together,
// and only for a Dependency, not for mere ids (rq/job.py, process_dependencies).
func (s Spec) dependencyFields() ([]string, error) {
	if len(s.DependsOn) == 0 {
		return nil, nil
	}
	ids, err := pyjson.Encode(s.DependsOn)
	if err != nil {
		return nil, fmt.Errorf("encoding the jobs it depends on: %w", err)
	}
	f := []string{"dependency_id", s.DependsOn[0], "dependency_ids", string(ids)}
	if s.AllowFailure || s.DependentAtFront {
		f = append(f, "allow_dependency_failures", bit(s.AllowFailure), "enqueue_at_front", bit(s.DependentAtFront))
	}
	return f, nil
}

// bit writes a truth value as RQ does.
func bit(b bool) string {
	if b {
		return "1"
	}
	return "0"
}
