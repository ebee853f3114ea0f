package extract

import (
	"bytes"
	"strings"
	"testing"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/blocktest"
	"github.com/docsvc/docsvc/pkg/extract/detect"
	"github.com/docsvc/docsvc/pkg/extract/odf/odftest"
	"github.com/docsvc/docsvc/pkg/extract/ole/oletest"
)

// What a container is, its content says: what it is called only makes a
// warning, and what is embedded in it doesn't count.
func TestContainersByAnotherName(t *testing.T) {
	t.Parallel()
	ole := func(names ...string) []byte {
		streams := map[string][]byte{}
		for _, n := range names {
			streams[n] = []byte("x")
		}
		return oletest.Container(t, streams)
	}
	for name, c := range map[string]struct {
		raw        []byte
		file, want string // format or code
		says       string // in the warning
	}{
		"an xls called doc":             {ole("Workbook"), "a.doc", detect.XLS, "declared as DOC, but it is XLS"},
		"an xls with a document in it":  {ole("Workbook", "MBD0001/WordDocument"), "a.xls", detect.XLS, ""},
		"a doc with a workbook in it":   {ole("WordDocument", "ObjectPool/_1/Workbook"), "a.doc", detect.DOC, ""},
		"a ppt called xls":              {ole("PowerPoint Document", "Current User"), "a.xls", detect.PPT, "declared as XLS, but it is PPT"},
		"a ppt with a workbook in it":   {ole("PowerPoint Document", "MBD/Workbook"), "a.ppt", detect.PPT, ""},
		"an msg with a document in it":  {ole("__properties_version1.0", "__attach_version1.0_#00000000/__substg1.0_3701000D/WordDocument"), "a.msg", detect.MSG, ""},
		"an msg called eml":             {ole("__properties_version1.0"), "a.eml", detect.MSG, "declared as EML, but it is MSG"},
		"an encrypted xlsx":             {ole("EncryptionInfo", "EncryptedPackage", "\x06DataSpaces/Version"), "a.xlsx", block.CodeEncrypted, ""},
		"an encrypted pptx called ppt":  {ole("EncryptedPackage"), "a.ppt", block.CodeEncrypted, ""},
		"an ods called odt":             {odftest.File{Kind: "spreadsheet"}.Pack(t), "a.odt", detect.ODS, "declared as ODT, but it is ODS"},
		"an odp called pptx":            {odftest.File{Kind: "presentation"}.Pack(t), "a.pptx", detect.ODP, "declared as PPTX, but it is ODP"},
		"an ods by its content type":    {odftest.File{Kind: "spreadsheet"}.Pack(t), "a.ods", detect.ODS, ""},
		"nothing that is known, in OLE": {ole("Contents"), "a.xls", block.CodeUnsupported, ""},
	} {
		res, err := Detect(bytes.NewReader(c.raw), int64(len(c.raw)), c.file, "")
		if got := res.Format + blocktest.Code(err); got != c.want {
			t.Errorf("%s: %q, want %q (%v)", name, got, c.want, err)
		}
		if warned := strings.Join(res.Warnings, " "); !strings.Contains(warned, c.says) || c.says == "" && warned != "" {
			t.Errorf("%s: warned %q", name, warned)
		}
	}
}
