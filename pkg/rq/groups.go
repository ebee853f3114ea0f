package rq

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// groupPage is about how many members one script looks at.
const groupPage = 500

var scriptGroup = compile("group")

// checkGroup refuses names that no one could ask for again.
func checkGroup(name string) error {
	if len(name) > 200 || strings.ContainsAny(name, "\n\x00") || strings.TrimSpace(name) != name {
		return fmt.Errorf("group name %q: must be 1-200 bytes without line breaks or outer spaces", name)
	}
	return nil
}

// groupEffects make a new job a member of its group (rq/group.py, _add_jobs),
// in the script that enqueues it.
func (s Spec) groupEffects() []Effect {
	if s.Group == "" {
		return nil
	}
	return []Effect{SAdd(keyGroup(s.Group), s.ID), SAdd(keyGroups, s.Group)}
}

// Groups returns the names of the groups that have members, sorted.
func (c *Client) Groups(ctx context.Context) ([]string, error) {
	names, err := c.rdb.SMembers(ctx, keyGroups).Result()
	if err != nil {
		return nil, fmt.Errorf("listing groups: %w", named(err, keyGroups))
	}
	var out []string
	for _, name := range names {
		n, err := c.rdb.Exists(ctx, keyGroup(name)).Result()
		if err != nil {
			return nil, fmt.Errorf("listing groups: %w", err)
		}
		if n > 0 {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out, nil
}

// GroupJobs returns the jobs of a group by their ids, none when there is no
// such group. As in RQ (rq/group.py, get_jobs) members whose job is gone are
// removed from it.
func (c *Client) GroupJobs(ctx context.Context, name string) ([]*Job, error) {
	if _, err := c.cleanGroup(ctx, name); err != nil {
		return nil, fmt.Errorf("listing group %s: %w", name, err)
	}
	ids, err := c.rdb.SMembers(ctx, keyGroup(name)).Result()
	if err != nil {
		return nil, fmt.Errorf("listing group %s: %w", name, named(err, keyGroup(name)))
	}
	slices.Sort(ids)
	var jobs []*Job
	for page := range slices.Chunk(ids, 100) {
		found, err := c.Jobs(ctx, page)
		if err != nil {
			return nil, fmt.Errorf("listing group %s: %w", name, err)
		}
		for _, j := range found {
			if j != nil {
				jobs = append(jobs, j)
			}
		}
	}
	return jobs, nil
}

// CleanGroups removes members whose job is gone from all groups, and the names
// of groups that have none left (rq/group.py, clean_registries). It returns
// how many members it removed. Maintenance calls it.
func (c *Client) CleanGroups(ctx context.Context) (removed int, err error) {
	names, err := c.rdb.SMembers(ctx, keyGroups).Result()
	if isWrongType(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("cleaning groups: %w", err)
	}
	for _, name := range names {
		n, err := c.cleanGroup(ctx, name)
		removed += n
		if err != nil && !isWrongType(err) {
			return removed, fmt.Errorf("cleaning group %s: %w", name, err)
		}
	}
	return removed, nil
}

// cleanGroup looks at a group's members a page at a time.
func (c *Client) cleanGroup(ctx context.Context, name string) (removed int, err error) {
	for cursor := uint64(0); ; {
		var ids []string
		ids, cursor, err = c.rdb.SScan(ctx, keyGroup(name), cursor, "", groupPage).Result()
		if err != nil {
			return removed, err
		}
		r, err := c.run(ctx, call{scriptGroup, []string{keyGroup(name), keyGroups}, c.tape().str(name).list(ids)})
		if err != nil {
			return removed, err
		}
		removed += r.int()
		if cursor == 0 {
			return removed, nil
		}
	}
}
