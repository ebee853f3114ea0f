package grid

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Format is what a number format makes of a number, as far as it is kept to: dates
// in the order of ISO 8601, percentages with their sign, other numbers in full.
type Format struct {
	kind     formatKind
	decimals int // of a percentage
}

type formatKind uint8

const (
	general formatKind = iota
	percent
	date
	clock
	dateAndClock
	elapsed
)

// Builtin is a format that files name by number only. Those from 27 on are
// dates in the calendars of East Asia.
func Builtin(id int) Format {
	switch {
	case id == 9:
		return Format{kind: percent}
	case id == 10:
		return Format{kind: percent, decimals: 2}
	case id >= 14 && id <= 17, id >= 27 && id <= 31, id == 36, id >= 50 && id <= 54, id == 57, id == 58:
		return Format{kind: date}
	case id >= 18 && id <= 21, id >= 32 && id <= 35, id == 45, id == 47, id == 55, id == 56:
		return Format{kind: clock}
	case id == 46:
		return Format{kind: elapsed}
	case id == 22:
		return Format{kind: dateAndClock}
	}
	return Format{}
}

// FormatOf reads a format code such as "dd/mm/yyyy" or "0.0%".
func FormatOf(code string) Format {
	signs, isElapsed := signsOf(code)
	has := func(any string) bool { return strings.ContainsAny(signs, any) }
	switch {
	case strings.EqualFold(strings.TrimSpace(code), "general"):
		return Format{}
	case isElapsed:
		return Format{kind: elapsed}
	case has("yde") && has("hs"):
		return Format{kind: dateAndClock}
	case has("hs"):
		return Format{kind: clock}
	case has("ydem") && !has("0#?"):
		return Format{kind: date}
	case has("%"):
		_, after, _ := strings.Cut(signs, ".")
		return Format{kind: percent, decimals: min(len(after)-len(strings.TrimLeft(after, "0#?")), 10)}
	}
	return Format{}
}

// signsOf is the part of a code for positive numbers without what it says
// literally, in lower case; elapsed is set when hours count on past a day.
func signsOf(code string) (signs string, isElapsed bool) {
	var b strings.Builder
	for i := 0; i < len(code); i++ {
		switch c := code[i]; c {
		case ';':
			return b.String(), isElapsed
		case '\\', '_', '*':
			i++
		case '"':
			for i++; i < len(code) && code[i] != '"'; i++ {
			}
		case '[':
			end := strings.IndexByte(code[i:], ']')
			if end < 0 {
				return b.String(), isElapsed
			}
			in := strings.ToLower(code[i+1 : i+end])
			if in != "" && (strings.Trim(in, "h") == "" || strings.Trim(in, "m") == "" || strings.Trim(in, "s") == "") {
				isElapsed = true
			}
			i += end
		default:
			if (c == 'E' || c == 'e') && i+1 < len(code) && (code[i+1] == '+' || code[i+1] == '-') { // 1.5E+7
				continue
			}
			if c == 'A' || c == 'a' {
				if rest := strings.ToLower(code[i:]); strings.HasPrefix(rest, "am/pm") {
					i += len("am/pm") - 1
					continue
				}
			}
			b.WriteString(strings.ToLower(string(rune(c))))
		}
	}
	return b.String(), isElapsed
}

// Number writes a number of the file as its format says; raw when it is none.
// since04 tells that days are counted from 1904 on.
func (f Format) Number(raw string, since04 bool) string {
	v, err := strconv.ParseFloat(raw, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return raw
	}
	return f.Value(v, since04)
}

// Value is Number for a number that is read already.
func (f Format) Value(v float64, since04 bool) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	switch f.kind {
	case percent:
		if math.Abs(v) < 1e12 {
			return strconv.FormatFloat(rounded(v*100), 'f', f.decimals, 64) + "%"
		}
	case date, clock, dateAndClock:
		if t, ok := moment(v, since04); ok {
			return f.moment(t, v)
		}
	case elapsed:
		if math.Abs(v) < 1e7 {
			return span(v)
		}
	}
	v = rounded(v)
	if a := math.Abs(v); a >= 1e21 || a != 0 && a < 1e-9 {
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// rounded leaves the 15 digits that spreadsheets count with.
func rounded(v float64) float64 {
	r, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 15, 64), 64)
	if err != nil {
		return v
	}
	return r
}

// moment is the time that a count of days means. Excel has a 29 February 1900.
func moment(days float64, since04 bool) (time.Time, bool) {
	if days < 0 || days >= 2958466 { // the year 10000
		return time.Time{}, false
	}
	from := time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)
	switch {
	case since04:
		from = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
	case days < 60:
		from = from.AddDate(0, 0, 1)
	}
	whole := math.Floor(days)
	return from.AddDate(0, 0, int(whole)).Add(time.Duration(math.Round((days-whole)*86400)) * time.Second), true
}

// moment writes a time in the order of ISO 8601, which can't be misread.
func (f Format) moment(t time.Time, days float64) string {
	clockLayout := "15:04"
	if t.Second() != 0 {
		clockLayout = "15:04:05"
	}
	switch {
	case f.kind == clock || days < 1 && f.kind == dateAndClock:
		return t.Format(clockLayout)
	case f.kind == date:
		return t.Format("2006-01-02")
	}
	return t.Format("2006-01-02 " + clockLayout)
}

// span writes a count of days as hours, minutes and seconds.
func span(days float64) string {
	sign := ""
	if days < 0 {
		sign, days = "-", -days
	}
	s := int64(math.Round(days * 86400))
	two := func(n int64) string {
		if n < 10 {
			return "0" + strconv.FormatInt(n, 10)
		}
		return strconv.FormatInt(n, 10)
	}
	return sign + strconv.FormatInt(s/3600, 10) + ":" + two(s/60%60) + ":" + two(s%60)
}
