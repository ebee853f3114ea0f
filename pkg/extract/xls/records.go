package xls

import (
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/grid"
	"github.com/docsvc/docsvc/pkg/extract/ole"
)

// Records that are read ([MS-XLS] 2.3).
const (
	recFormula    = 0x0006
	recEOF        = 0x000a
	recNote       = 0x001c
	recDateMode   = 0x0022
	recFilePass   = 0x002f
	recContinue   = 0x003c
	recCodePage   = 0x0042
	recObj        = 0x005d
	recBoundSheet = 0x0085
	recMulRK      = 0x00bd
	recRString    = 0x00d6
	recXF         = 0x00e0
	recSST        = 0x00fc
	recLabelSST   = 0x00fd
	recTxO        = 0x01b6
	recNumber     = 0x0203
	recLabel      = 0x0204
	recBoolErr    = 0x0205
	recString     = 0x0207
	recRK         = 0x027e
	recFormula4   = 0x0406 // of Excel 4, which some later versions still write
	recFormat     = 0x041e
	recBOF        = 0x0809
	recSeriesText = 0x100d
)

// Kinds of what a BOF begins.
const (
	bofChart = 0x20
	version5 = 0x0500
	version8 = 0x0600
)

// checkEvery is how many records pass between two looks at the context.
const checkEvery = 4096

// records reads the records of a stream from a place on.
type records struct {
	w  *workbook
	at int
	n  int
}

// record is one with the CONTINUE records after it.
type record struct {
	id   int
	data ole.Bytes
	more []ole.Bytes
}

// next is the next record; ok is false where the stream ends or is cut.
func (r *records) next() (rec record, ok bool, err error) {
	if r.n++; r.n%checkEvery == 0 {
		if err := r.w.ctx.Err(); err != nil {
			return record{}, false, err
		}
	}
	rec.id, rec.data, ok = r.one()
	if !ok {
		return rec, false, nil
	}
	for r.w.data.U16(r.at) == recContinue && r.at+4 <= len(r.w.data) {
		_, data, ok := r.one()
		if !ok {
			break
		}
		rec.more = append(rec.more, data)
	}
	return rec, true, nil
}

func (r *records) one() (id int, data ole.Bytes, ok bool) {
	d := r.w.data
	if r.at < 0 || r.at+4 > len(d) {
		return 0, nil, false
	}
	id, size := d.U16(r.at), d.U16(r.at+2)
	if r.at+4+size > len(d) {
		return 0, nil, false
	}
	data = d[r.at+4 : r.at+4+size]
	r.at += 4 + size
	return id, data, true
}

// globals reads what stands before the sheets.
func (w *workbook) globals() error {
	w.custom = map[int]grid.Format{}
	r := &records{w: w}
	rec, ok, err := r.next()
	switch {
	case err != nil:
		return err
	case !ok || rec.id != recBOF:
		return w.notOne(rec.id, ok)
	}
	switch v := rec.data.U16(0); v {
	case version8:
	case version5:
		w.narrow = true
	default:
		return block.Errorf(block.CodeUnsupported, "This workbook was saved by a version of Excel that is not known (%04x). Open it in Excel or LibreOffice and save it as XLSX.", v)
	}
	for {
		rec, ok, err := r.next()
		switch {
		case err != nil:
			return err
		case !ok && len(w.sheets) == 0:
			return block.Errorf(block.CodeCorrupt, "This workbook is damaged or incomplete: it doesn't say which sheets it has. Save it again and send it again.")
		case !ok || rec.id == recEOF:
			return nil
		case rec.id == recFilePass:
			return block.Errorf(block.CodeEncrypted, "This workbook is encrypted with a password. Save it without one, as XLSX.")
		}
		if err := w.global(rec); err != nil {
			return err
		}
	}
}

func (w *workbook) notOne(id int, ok bool) error {
	if ok && (id == 0x0009 || id == 0x0209 || id == 0x0409) {
		return block.Errorf(block.CodeUnsupported, "This workbook was saved by a version of Excel before Excel 5. Open it in Excel or LibreOffice and save it as XLSX.")
	}
	return block.Errorf(block.CodeCorrupt, "This workbook is damaged: its stream of cells is none. Save it again and send it again.")
}

func (w *workbook) global(rec record) error {
	d := rec.data
	switch rec.id {
	case recCodePage:
		if w.codepage = d.U16(0); w.codepage == 32769 {
			w.codepage = 1252
		}
	case recDateMode:
		w.since04 = d.U16(0) == 1
	case recBoundSheet:
		if kind := d.U8(5); kind == 6 || len(w.sheets) > maxSheets { // 6: a module of Visual Basic
			return nil
		}
		t := w.texts(rec.data.Part(6, len(d)))
		w.sheets = append(w.sheets, sheetRef{name: oneLine(t.short()), at: d.U32(0), hidden: d.U8(4)&3 != 0})
	case recFormat:
		if len(w.custom) < maxStyles {
			t := w.texts(d.Part(2, len(d)))
			code := ""
			if w.narrow {
				code = t.short()
			} else {
				code = t.long()
			}
			w.custom[d.U16(0)] = grid.FormatOf(code)
		}
	case recXF:
		if len(w.formats) < maxStyles {
			id := d.U16(2)
			f, ok := w.custom[id]
			if !ok {
				f = grid.Builtin(id)
			}
			w.formats = append(w.formats, f)
		}
	case recSST:
		return w.sharedStrings(rec)
	}
	return nil
}

// sharedStrings reads the texts that cells name by number.
func (w *workbook) sharedStrings(rec record) error {
	want := rec.data.U32(4)
	t := w.texts(rec.data, rec.more...)
	t.skip(8)
	for len(w.strings) < want && !t.ended() {
		if len(w.strings) >= w.mostStrings {
			w.cut = true
			return nil
		}
		if len(w.strings)%checkEvery == 0 {
			if err := w.ctx.Err(); err != nil {
				return err
			}
		}
		w.strings = append(w.strings, cellText(t.long()))
	}
	return nil
}

func oneLine(s string) string { return strings.Join(strings.Fields(block.Clean(s)), " ") }

func cellText(s string) string { return block.Tidy(strings.ReplaceAll(s, "\x00", "")) }
