package pickle

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxIntDigits is CPython's default limit on the digits of an int written as
// text (sys.set_int_max_str_digits); maxIntBytes is about the same for binary.
const (
	maxIntDigits = 4300
	maxIntBytes  = 2048
)

// scalarOp handles numbers, strings and bytes in binary form.
func (d *decoder) scalarOp(op byte) (bool, error) {
	switch op {
	case opNone:
		return true, d.push(nil)
	case opNewTrue, opNewFalse:
		return true, d.push(op == opNewTrue)
	case opBinInt1:
		return true, d.pushInt(1)
	case opBinInt2:
		return true, d.pushInt(2)
	case opBinInt:
		n, err := d.uint(4)
		if err != nil {
			return true, err
		}
		return true, d.push(int64(int32(uint32(n))))
	case opLong1:
		return true, d.pushLong(1)
	case opLong4:
		return true, d.pushLong(4)
	case opBinFloat:
		b, err := d.take(8)
		if err != nil {
			return true, err
		}
		return true, d.push(math.Float64frombits(binary.BigEndian.Uint64(b)))
	case opShortBinUnicode:
		return true, d.pushStr(1)
	case opBinUnicode:
		return true, d.pushStr(4)
	case opBinUnicode8:
		return true, d.pushStr(8)
	case opShortBinBytes:
		return true, d.pushBytes(1)
	case opBinBytes:
		return true, d.pushBytes(4)
	case opBinBytes8:
		return true, d.pushBytes(8)
	case opByteArray8:
		b, err := d.sized(8)
		if err != nil {
			return true, err
		}
		return true, d.push(ByteArray(slices.Clone(b)))
	}
	return false, nil
}

func (d *decoder) pushInt(size int) error {
	n, err := d.uint(size)
	if err != nil {
		return err
	}
	return d.push(int64(n))
}

func (d *decoder) pushLong(size int) error {
	b, err := d.sized(size)
	if err != nil {
		return err
	}
	if len(b) > maxIntBytes {
		return fmt.Errorf("%w: an int of %d bytes", ErrLimit, len(b))
	}
	return d.push(littleEndianInt(b))
}

// littleEndianInt reads two's complement; no bytes are 0.
func littleEndianInt(b []byte) any {
	big2 := slices.Clone(b)
	slices.Reverse(big2)
	n := new(big.Int).SetBytes(big2)
	if len(b) > 0 && b[len(b)-1]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(len(b)*8)))
	}
	return shrinkInt(n)
}

func shrinkInt(n *big.Int) any {
	if n.IsInt64() {
		return n.Int64()
	}
	return n
}

func (d *decoder) pushStr(size int) error {
	b, err := d.sized(size)
	if err != nil {
		return err
	}
	if !validText(string(b)) {
		return errors.New("a str that is not UTF-8")
	}
	return d.push(string(b))
}

func (d *decoder) pushBytes(size int) error {
	b, err := d.sized(size)
	if err != nil {
		return err
	}
	return d.push(append([]byte{}, b...))
}

// textOp handles the line-based forms of protocol 0 and the 8-bit strings of
// Python 2.
func (d *decoder) textOp(op byte) (bool, error) {
	switch op {
	case opShortBinString, opBinString:
		size := 1
		if op == opBinString {
			size = 4
		}
		b, err := d.sized(size)
		if err != nil {
			return true, err
		}
		return true, d.push(eightBit(b))
	case opInt, opLong, opFloat, opString, opUnicode:
	default:
		return false, nil
	}
	line, err := d.line()
	if err != nil {
		return true, err
	}
	v, err := parseLine(op, line)
	if err != nil {
		return true, err
	}
	return true, d.push(v)
}

func parseLine(op byte, line string) (any, error) {
	switch op {
	case opInt:
		// Protocols 0 and 1 write booleans as the ints 00 and 01.
		if line == "00" || line == "01" {
			return line == "01", nil
		}
		return parseInt(line)
	case opLong:
		return parseInt(strings.TrimSuffix(line, "L"))
	case opFloat:
		f, err := strconv.ParseFloat(strings.TrimSpace(line), 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return nil, errors.New("a float that cannot be read")
		}
		return f, nil
	case opString:
		b, err := unquote(line)
		if err != nil {
			return nil, err
		}
		return eightBit(b), nil
	default:
		return rawUnicode(line)
	}
}

func parseInt(s string) (any, error) {
	s = strings.TrimSpace(s)
	if len(s) > maxIntDigits {
		return nil, fmt.Errorf("%w: an int of %d digits", ErrLimit, len(s))
	}
	n, ok := new(big.Int).SetString(s, 10)
	if !ok {
		return nil, errors.New("an int that cannot be read")
	}
	return shrinkInt(n), nil
}

// eightBit is a Python 2 str: text if ASCII, else bytes.
func eightBit(b []byte) any {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return slices.Clone(b)
		}
	}
	return string(b)
}

func (d *decoder) lineIndex() (uint64, error) {
	s, err := d.line()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 32)
	if err != nil {
		return 0, errors.New("a memo index that cannot be read")
	}
	return n, nil
}

// unquote reads a Python 2 string literal with its backslash escapes.
func unquote(s string) ([]byte, error) {
	s = strings.TrimRight(s, " \r\t")
	if len(s) < 2 || s[0] != s[len(s)-1] || s[0] != '\'' && s[0] != '"' {
		return nil, errors.New("a string without quotes")
	}
	s = s[1 : len(s)-1]
	var out []byte
	simple := map[byte]byte{'\\': '\\', '\'': '\'', '"': '"', 'a': 7, 'b': 8, 'f': 12, 'n': 10, 'r': 13, 't': 9, 'v': 11}
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			out = append(out, s[i])
			continue
		}
		if i++; i >= len(s) {
			return nil, errors.New("a string that ends in a backslash")
		}
		c, known := simple[s[i]]
		switch {
		case known:
			out = append(out, c)
		case s[i] == 'x':
			n, err := strconv.ParseUint(s[i+1:min(i+3, len(s))], 16, 8)
			if err != nil || i+3 > len(s) {
				return nil, errors.New("a string with a broken \\x escape")
			}
			out = append(out, byte(n))
			i += 2
		case s[i] >= '0' && s[i] <= '7':
			n := 0
			end := min(i+3, len(s))
			for ; i < end && s[i] >= '0' && s[i] <= '7'; i++ {
				n = n*8 + int(s[i]-'0')
			}
			i--
			out = append(out, byte(n))
		default:
			out = append(out, '\\', s[i])
		}
	}
	return out, nil
}

// rawUnicode reads raw-unicode-escape: Latin-1 with \uXXXX and \UXXXXXXXX.
func rawUnicode(s string) (string, error) {
	var out []byte
	for i := 0; i < len(s); i++ {
		width := 0
		if s[i] == '\\' && i+1 < len(s) {
			width = map[byte]int{'u': 4, 'U': 8}[s[i+1]]
		}
		if width == 0 {
			out = utf8.AppendRune(out, rune(s[i]))
			if s[i] == '\\' && i+1 < len(s) && s[i+1] == '\\' {
				// A pair of backslashes does not start an escape.
				out = append(out, '\\')
				i++
			}
			continue
		}
		end := i + 2 + width
		if end > len(s) {
			return "", errors.New("a str with a broken \\u escape")
		}
		n, err := strconv.ParseUint(s[i+2:end], 16, 32)
		if err != nil || n > utf8.MaxRune {
			return "", errors.New("a str with a broken \\u escape")
		}
		out = AppendRune(out, rune(n))
		i = end - 1
	}
	return string(out), nil
}
