package ocr

import (
	"image"
	"io"
	"slices"
	"strings"
	"testing"
)

// table is an answer with these rows, "block paragraph line confidence word".
func table(rows ...string) []byte {
	var b strings.Builder
	b.WriteString(header + "\n1\t1\t0\t0\t0\t0\t0\t0\t100\t100\t-1\t\n")
	for _, row := range rows {
		f := strings.SplitN(row, " ", 5)
		b.WriteString("5\t1\t" + f[0] + "\t" + f[1] + "\t" + f[2] + "\t1\t0\t0\t9\t9\t" + f[3] + "\t" + f[4] + "\n")
	}
	return []byte(b.String())
}

func TestATableBecomesParagraphs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rows []string
		want []string
	}{
		"nothing":          {nil, nil},
		"a paragraph":      {[]string{"1 1 1 90 Two", "1 1 1 80 words"}, []string{"Two words"}},
		"two paragraphs":   {[]string{"1 1 1 90 one", "1 2 1 90 two", "2 1 1 90 three"}, []string{"one", "two", "three"}},
		"a divided word":   {[]string{"1 1 1 90 usuá-", "1 1 2 90 rios", "1 1 2 90 novos"}, []string{"usuários novos"}},
		"a divided name":   {[]string{"1 1 1 90 Anne-", "1 1 2 90 Marie"}, []string{"Anne- Marie"}},
		"a dash":           {[]string{"1 1 1 90 this", "1 1 1 90 -", "1 1 2 90 that"}, []string{"this - that"}},
		"a hyphen inside":  {[]string{"1 1 1 90 a-", "1 1 1 90 b"}, []string{"a- b"}},
		"a picture inside": {[]string{"1 1 1 95  ", "2 1 1 90 text"}, []string{"text"}},
		"noise":            {[]string{"1 1 1 12 |;~", "2 1 1 90 text"}, []string{"text"}},
		"a doubtful word":  {[]string{"1 1 1 90 certain", "1 1 1 2 d0ubtful"}, []string{"certain d0ubtful"}},
	} {
		got, err := ReadTSV(table(c.rows...))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var texts []string
		for _, b := range got.Blocks {
			texts = append(texts, b.Text)
		}
		if !slices.Equal(texts, c.want) {
			t.Errorf("%s: %q, want %q", name, texts, c.want)
		}
		if (got.Confidence > 0) != (len(c.want) > 0) || got.Confidence > 100 {
			t.Errorf("%s: confidence %v", name, got.Confidence)
		}
	}
}

func TestConfidenceIsTheMeanOfCharacters(t *testing.T) {
	t.Parallel()
	got, err := ReadTSV(table("1 1 1 90 abc", "1 1 1 50 d"))
	if err != nil || got.Confidence != 80 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestWhatIsNoTableIsRefused(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{
		"", "garbage", header[:20], header + "\n5\t1", header + "\n5\t1\t1\t1\t1\t1\t0\t0\t1\t1\tmany\tword", header + "\n5\t1\t1\t1\t1\t1\t0\t0\t1\t1\t1e9\tword",
		header + "\n" + strings.Repeat("x", 2<<20),
	} {
		if got, err := ReadTSV([]byte(answer)); err == nil {
			t.Errorf("%.40q: %+v", answer, got)
		}
	}
}

func FuzzReadTSV(f *testing.F) {
	f.Add(table("1 1 1 90 usuá-", "1 1 2 90 rios"))
	f.Add([]byte(header + "\n5\t1"))
	f.Fuzz(func(t *testing.T, answer []byte) {
		got, err := ReadTSV(answer)
		if err != nil {
			return
		}
		for _, b := range got.Blocks {
			if strings.TrimSpace(b.Text) == "" || strings.ContainsAny(b.Text, "\x00\r") {
				t.Errorf("block %q", b.Text)
			}
		}
		if got.Confidence < 0 || got.Confidence > 100 {
			t.Errorf("confidence %v", got.Confidence)
		}
	})
}

func TestWhatATesseractSaysOfItself(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]string{
		"tesseract 5.3.0\n leptonica-1.82.0\n":                 "5.3.0",
		"tesseract v5.0.0-alpha.20200328\n leptonica-1.78.0\n": "5.0.0-alpha.20200328",
		"warning: x\ntesseract 4.1.1\n":                        "4.1.1",
	} {
		if got, err := ReadVersion([]byte(answer)); err != nil || got != want {
			t.Errorf("%q: %q, %v", answer, got, err)
		}
	}
	if got, err := ReadVersion([]byte("hello\n")); err == nil {
		t.Errorf("hello: %q", got)
	}
	got := ReadLanguages([]byte("List of available languages in \"/usr/share/tessdata/\" (5):\nscript/Latin\npor\neng\nosd\nequ\n"))
	if !slices.Equal(got, []string{"eng", "por", "script/Latin"}) {
		t.Errorf("languages %q", got)
	}
	e := &Engine{Languages: got}
	if missing := e.Missing([]string{"por", "deu"}); !slices.Equal(missing, []string{"deu"}) {
		t.Errorf("missing %q", missing)
	}
}

func TestLanguagesAsTheyAreSet(t *testing.T) {
	t.Parallel()
	for list, want := range map[string]string{
		"eng": "eng", "eng+por": "eng por", "eng, por": "eng por", "chi_sim script/Latin": "chi_sim script/Latin",
		"": "", "--psm": "", "eng+../../etc/passwd": "", "eng;por": "", "eng+eng": "", "a+b+c+d+e+f+g+h+i+j+k": "",
	} {
		got, err := ParseLanguages(list)
		if (err != nil) != (want == "") || strings.Join(got, " ") != want {
			t.Errorf("%q: %q, %v", list, got, err)
		}
	}
}

func TestABitmapIsTheImagesPixels(t *testing.T) {
	t.Parallel()
	whole := image.NewGray(image.Rect(0, 0, 3, 2))
	for i := range whole.Pix {
		whole.Pix[i] = byte('a' + i)
	}
	part := whole.SubImage(image.Rect(0, 0, 2, 2)).(*image.Gray)
	for im, want := range map[*image.Gray]string{whole: "P5\n3 2\n255\nabcdef", part: "P5\n2 2\n255\nabde"} {
		if got, err := io.ReadAll(Bitmap(im)); err != nil || string(got) != want {
			t.Errorf("%q, %v; want %q", got, err, want)
		}
	}
}
