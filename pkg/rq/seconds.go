package rq

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ParseSeconds reads a length of time as RQ does (rq/utils.py, parse_timeout):
// whole seconds, or a number with a unit d, h, m or s, such as "90" or "5m";
// and also as Go does, such as "1h30m".
func ParseSeconds(text string) (time.Duration, error) {
	text = strings.TrimSpace(text)
	if n, err := strconv.ParseInt(text, 10, 32); err == nil {
		return time.Duration(n) * time.Second, nil
	}
	units := map[byte]time.Duration{'d': 24 * time.Hour, 'h': time.Hour, 'm': time.Minute, 's': time.Second}
	if last := len(text) - 1; last > 0 {
		unit, ok := units[text[last]|0x20]
		if n, err := strconv.ParseInt(text[:last], 10, 32); ok && err == nil && n*int64(unit/time.Second) <= 1<<31 {
			return time.Duration(n) * unit, nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil {
		return d, nil
	}
	return 0, fmt.Errorf("%q is not a length of time: whole seconds, or a number with d, h, m or s, such as 90 or 5m", text)
}

func seconds(f float64) time.Duration { return time.Duration(f * float64(time.Second)) }
