package pickle

import (
	"math"
	"time"
)

const dayMicros = int64(24 * time.Hour / time.Microsecond)

// packed returns the packed fields that datetime classes are built from:
// bytes, or text that stands for them in protocols 0 to 2.
func packed(v any, size int) ([]byte, bool) {
	b, ok := v.([]byte)
	if s, isText := v.(string); isText {
		b, ok = latin1(s)
	}
	return b, ok && len(b) == size
}

// newDateTime reads year (big-endian), month with fold as its top bit, day,
// hour, minute, second, microsecond (3 bytes, big-endian), and a time zone.
func newDateTime(a []any) (any, bool) {
	if len(a) != 1 && len(a) != 2 {
		return nil, false
	}
	b, ok := packed(a[0], 10)
	if !ok {
		return nil, false
	}
	date, ok := unpackDate([]byte{b[0], b[1], b[2] & 0x7f, b[3]})
	if !ok {
		return nil, false
	}
	clock, ok := unpackTimeOfDay([]byte{b[4] | b[2]&0x80, b[5], b[6], b[7], b[8], b[9]})
	if !ok {
		return nil, false
	}
	if len(a) == 1 {
		return DateTime{date, clock}, true
	}
	zone, ok := a[1].(*time.Location)
	if !ok {
		return nil, false
	}
	return time.Date(date.Year, date.Month, date.Day, clock.Hour, clock.Minute, clock.Second, clock.Microsecond*1000, zone), true
}

func newDate(a []any) (any, bool) {
	if len(a) != 1 {
		return nil, false
	}
	b, ok := packed(a[0], 4)
	if !ok {
		return nil, false
	}
	return unpackDate(b)
}

func newTimeOfDay(a []any) (any, bool) {
	if len(a) != 1 {
		return nil, false
	}
	b, ok := packed(a[0], 6)
	if !ok {
		return nil, false
	}
	return unpackTimeOfDay(b)
}

func unpackDate(b []byte) (Date, bool) {
	d := Date{int(b[0])<<8 | int(b[1]), time.Month(b[2]), int(b[3])}
	t := time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC)
	return d, d.Year >= 1 && d.Year <= 9999 && t.Month() == d.Month && t.Day() == d.Day
}

func unpackTimeOfDay(b []byte) (TimeOfDay, bool) {
	t := TimeOfDay{
		Hour: int(b[0] & 0x7f), Minute: int(b[1]), Second: int(b[2]),
		Microsecond: int(b[3])<<16 | int(b[4])<<8 | int(b[5]), Fold: b[0]&0x80 != 0,
	}
	return t, t.Hour < 24 && t.Minute < 60 && t.Second < 60 && t.Microsecond < 1e6
}

func (d Date) pack(fold bool) []byte {
	b := []byte{byte(d.Year >> 8), byte(d.Year), byte(d.Month), byte(d.Day)}
	if fold {
		b[2] |= 0x80
	}
	return b
}

func (t TimeOfDay) pack() []byte {
	us := t.Microsecond
	return []byte{byte(t.Hour), byte(t.Minute), byte(t.Second), byte(us >> 16), byte(us >> 8), byte(us)}
}

// split takes a time apart as its own zone shows it.
func split(t time.Time) DateTime {
	year, month, day := t.Date()
	return DateTime{Date{year, month, day}, TimeOfDay{t.Hour(), t.Minute(), t.Second(), t.Nanosecond() / 1000, false}}
}

// newTimeDelta reads (days, seconds, microseconds). What does not fit a
// time.Duration (292 years) is not understood.
func newTimeDelta(a []any) (any, bool) {
	if len(a) != 3 {
		return nil, false
	}
	days, ok1 := a[0].(int64)
	seconds, ok2 := a[1].(int64)
	us, ok3 := a[2].(int64)
	const maxDays = math.MaxInt64 / (dayMicros * 1000)
	if !ok1 || !ok2 || !ok3 || days <= -maxDays || days >= maxDays || seconds < 0 || seconds >= 86400 || us < 0 || us >= 1e6 {
		return nil, false
	}
	return time.Duration((days*dayMicros + seconds*1e6 + us) * 1000), true
}

// normalDelta splits a duration as Python's timedelta does: only days may be
// negative. Parts of a microsecond are cut off.
func normalDelta(d time.Duration) (days, seconds, us int64) {
	total := d.Microseconds()
	days = total / dayMicros
	rest := total % dayMicros
	if rest < 0 {
		days--
		rest += dayMicros
	}
	return days, rest / 1e6, rest % 1e6
}

// newTimeZone reads (offset,) or (offset, name).
func newTimeZone(a []any) (any, bool) {
	if len(a) != 1 && len(a) != 2 {
		return nil, false
	}
	offset, ok := a[0].(time.Duration)
	if !ok || offset%time.Second != 0 || offset <= -24*time.Hour || offset >= 24*time.Hour {
		return nil, false
	}
	if len(a) == 1 {
		if offset == 0 {
			return time.UTC, true
		}
		return time.FixedZone("", int(offset/time.Second)), true
	}
	name, ok := a[1].(string)
	return time.FixedZone(name, int(offset/time.Second)), ok && name != ""
}

// zone returns the fixed offset and name that a Python timezone object needs
// for t. The name is empty for zones from a database, whose abbreviations
// Python would not have been given.
func zone(t time.Time) (offset time.Duration, name string) {
	abbreviation, seconds := t.Zone()
	if t.Location() != time.UTC && t.Location().String() == abbreviation {
		name = abbreviation
	}
	return time.Duration(seconds) * time.Second, name
}
