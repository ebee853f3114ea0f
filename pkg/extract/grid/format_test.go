package grid

import "testing"

func TestFormatCodes(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{
		"General": "1.5", "0.00": "1.5", "#,##0.00 €": "1.5", "0%": "150%", "0.00%;[Red]-0.00%": "150.00%", `"day" 0`: "1.5", `0.00E+00`: "1.5",
		"yyyy-mm-dd": "1900-01-01", `[$-409]d\-mmm\-yy;@`: "1900-01-01", "m/d/yy h:mm AM/PM": "1900-01-01 12:00", "h:mm:ss": "12:00", "mm:ss.0": "12:00",
		"mmmm": "1900-01-01", "[h]:mm:ss": "36:00:00", "[mm]:ss": "36:00:00", `yyyy"年"m"月"`: "1900-01-01", "[Red]0": "1.5", "": "1.5", "[": "1.5", `"`: "1.5",
	} {
		if got := FormatOf(code).Number("1.5", false); got != want {
			t.Errorf("%q: %q, want %q", code, got, want)
		}
	}
	for days, want := range map[string]string{"0": "00:00", "1": "1900-01-01 00:00", "59": "1900-02-28 00:00", "61": "1900-03-01 00:00", "45000.999999": "2023-03-16 00:00", "2958466": "2958466", "NaN": "NaN", "1e300": "1e+300"} {
		if got := (Format{kind: dateAndClock}).Number(days, false); got != want {
			t.Errorf("%s days: %q, want %q", days, got, want)
		}
	}
	if got := (Format{kind: date}).Number("1", true); got != "1904-01-02" {
		t.Errorf("from 1904: %q", got)
	}
}
