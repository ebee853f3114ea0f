package rq

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// FsckRestored is what FsckRestore did.
type FsckRestored struct {
	Restored int      `json:"restored"`
	Skipped  []string `json:"skipped"` // and why
}

// FsckRestore undoes the repairs of an undo file, the last one first. One
// whose keys are no longer as the repair left them is skipped and named.
func (c *Client) FsckRestore(ctx context.Context, undo io.Reader) (FsckRestored, error) {
	done := FsckRestored{Skipped: []string{}}
	waiting, err := readUndo(undo)
	if err != nil {
		return done, err
	}
	// An entry is put back before the one that followed it, which may have to
	// be put back first; what then still has none goes to the head.
	for force := false; len(waiting) > 0; {
		var later []undoLine
		for _, l := range waiting {
			if force {
				l.force()
			}
			r, err := c.run(ctx, c.editCall(newHexID(), l.If, l.Do, nil, nil, nil))
			if err != nil {
				return done, fmt.Errorf("undoing repair %d: %w", l.N, err)
			}
			switch r.at(0).text() {
			case "ok":
				done.Restored++
			case "later":
				later = append(later, l)
			default:
				at := l.If[min(r.at(1).int(), len(l.If)-1)].Read
				if at[0] == "COUNT" && len(later) > 0 {
					later = append(later, l) // another copy of the entry may have to be put back first
					break
				}
				done.Skipped = append(done.Skipped, fmt.Sprintf("%s %s: it has changed since: %v is %.60q",
					l.Kind, l.Key, at.texts(), r.at(2).text()))
			}
		}
		force = len(later) == len(waiting)
		waiting = later
	}
	return done, nil
}

// readUndo answers the repairs of an undo file that were made, or that it does
// not say were not, the last one first.
func readUndo(undo io.Reader) ([]undoLine, error) {
	var made []undoLine
	results := map[int]string{}
	for d := json.NewDecoder(undo); ; {
		var l undoLine
		err := d.Decode(&l)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break // a last line that was not written whole was not acted on
		}
		if err != nil {
			return nil, fmt.Errorf("reading how to undo the repairs: %w", err)
		}
		if l.Result != "" {
			results[l.N] = l.Result
		} else {
			made = append(made, l)
		}
	}
	made = slices.DeleteFunc(made, func(l undoLine) bool { return results[l.N] == undoChanged })
	slices.Reverse(made)
	return made, nil
}

// force lets entries be put back at the head where the one that followed them
// is gone.
func (l undoLine) force() {
	for _, x := range l.Do {
		if x[0] == "PUTBACK" {
			x[5] = "1"
		}
	}
}
