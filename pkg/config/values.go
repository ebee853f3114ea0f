package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
)

// Size is a number of bytes, written as 1048576, 512KiB, 64MiB or 5GiB.
type Size int64

var sizeUnits = []struct {
	suffix string
	bytes  int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"B", 1}, {"", 1}}

// ParseSize reads a Size; decimal units (MB) are refused rather than guessed.
func ParseSize(s string) (Size, error) {
	s = strings.TrimSpace(s)
	for _, u := range sizeUnits {
		number, ok := strings.CutSuffix(s, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
		if err != nil || n < 0 || n > (1<<62)/u.bytes {
			break
		}
		return Size(n * u.bytes), nil
	}
	return 0, fmt.Errorf("%q is no size: write it in bytes or as 512KiB, 64MiB or 5GiB", s)
}

// String writes the size in the largest unit that divides it.
func (s Size) String() string {
	for _, u := range []int{3, 2, 1, 0} {
		if b := sizeUnits[u].bytes; s != 0 && int64(s)%b == 0 {
			return strconv.FormatInt(int64(s)/b, 10) + sizeUnits[u].suffix
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

func decodeHook() mapstructure.DecodeHookFunc {
	size := func(from, to reflect.Type, data any) (any, error) {
		if to != reflect.TypeFor[Size]() {
			return data, nil
		}
		return ParseSize(fmt.Sprint(data))
	}
	duration := func(from, to reflect.Type, data any) (any, error) {
		if to != reflect.TypeFor[time.Duration]() || from.Kind() == reflect.String || data == 0 {
			return data, nil
		}
		return nil, fmt.Errorf("time: %v has no unit", data) // a bare number would count nanoseconds
	}
	return mapstructure.ComposeDecodeHookFunc(size, duration, mapstructure.StringToTimeDurationHookFunc())
}
