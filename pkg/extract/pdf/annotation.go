package pdf

import (
	"strings"

	"github.com/klippa-app/go-pdfium/enums"
	"github.com/klippa-app/go-pdfium/references"
	"github.com/klippa-app/go-pdfium/requests"
	"github.com/klippa-app/go-pdfium/structs"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// Bounds on what is read beside a page's text.
const (
	maxAnnotations = 10000    // per page
	maxAside       = 64 << 10 // bytes of one value or comment
	maxTarget      = 4 << 10  // bytes of an address
	maxAttachments = 1000
	maxLinks       = 5000 // different ones of a document
)

// openForm makes the values of form fields accessible. PDFium asks for a user
// interface to that end; it never gets to use it.
func (d *document) openForm() {
	kind, err := d.pdfium.FPDF_GetFormType(&requests.FPDF_GetFormType{Document: d.ref})
	if err != nil || kind.FormType == enums.FPDF_FORMTYPE_NONE {
		return
	}
	form, err := d.pdfium.FPDFDOC_InitFormFillEnvironment(&requests.FPDFDOC_InitFormFillEnvironment{
		Document: d.ref,
		FormFillInfo: structs.FPDF_FORMFILLINFO{
			FFI_Invalidate:         func(references.FPDF_PAGE, float64, float64, float64, float64) {},
			FFI_SetCursor:          func(enums.FXCT) {},
			FFI_SetTimer:           func(int, func(int)) int { return 0 },
			FFI_KillTimer:          func(int) {},
			FFI_GetLocalTime:       func() structs.FPDF_SYSTEMTIME { return structs.FPDF_SYSTEMTIME{} },
			FFI_GetPage:            func(references.FPDF_DOCUMENT, int) *references.FPDF_PAGE { return nil },
			FFI_GetRotation:        func(references.FPDF_PAGE) enums.FPDF_PAGE_ROTATION { return 0 },
			FFI_ExecuteNamedAction: func(string) {},
		},
	})
	if err == nil {
		d.form = &form.FormHandle
	}
}

// annotations adds the values of a page's form fields, which are not part of
// its text, and the comments on it.
func (d *document) annotations(ref references.FPDF_PAGE, p *page) error {
	of := requests.Page{ByReference: &ref}
	count, err := d.pdfium.FPDFPage_GetAnnotCount(&requests.FPDFPage_GetAnnotCount{Page: of})
	if err != nil {
		return trapOnly(err)
	}
	for i := range min(count.Count, maxAnnotations) {
		a, err := d.pdfium.FPDFPage_GetAnnot(&requests.FPDFPage_GetAnnot{Page: of, Index: i})
		if err != nil {
			if err := trapOnly(err); err != nil {
				return err
			}
			continue
		}
		if b := d.annotation(a.Annotation); strings.TrimSpace(b.Text) != "" {
			b.Page = p.n
			p.asides = append(p.asides, b)
		}
		if _, err := d.pdfium.FPDFPage_CloseAnnot(&requests.FPDFPage_CloseAnnot{Annotation: a.Annotation}); err != nil {
			return trapOnly(err)
		}
	}
	return nil
}

func (d *document) annotation(ref references.FPDF_ANNOTATION) block.Block {
	kind, err := d.pdfium.FPDFAnnot_GetSubtype(&requests.FPDFAnnot_GetSubtype{Annotation: ref})
	if err != nil {
		return block.Block{}
	}
	switch kind.Subtype {
	case enums.FPDF_ANNOT_SUBTYPE_WIDGET:
		return block.Block{Kind: block.FormField, Text: d.field(ref)}
	case enums.FPDF_ANNOT_SUBTYPE_LINK:
		return block.Block{Kind: block.Link, Text: d.target(ref)}
	case enums.FPDF_ANNOT_SUBTYPE_POPUP:
		return block.Block{}
	default:
		return block.Block{Kind: block.Annotation, Text: d.annotationText(ref, "Contents")}
	}
}

// target is the address that a link leads to, "" for a place in the document.
func (d *document) target(ref references.FPDF_ANNOTATION) string {
	link, err := d.pdfium.FPDFAnnot_GetLink(&requests.FPDFAnnot_GetLink{Annotation: ref})
	if err != nil {
		return ""
	}
	action, err := d.pdfium.FPDFLink_GetAction(&requests.FPDFLink_GetAction{Link: link.Link})
	if err != nil || action.Action == nil {
		return ""
	}
	uri, err := d.pdfium.FPDFAction_GetURIPath(&requests.FPDFAction_GetURIPath{Document: d.ref, Action: *action.Action})
	if err != nil || uri.URIPath == nil || len(*uri.URIPath) > maxTarget {
		return ""
	}
	return strings.Join(strings.Fields(bounded(*uri.URIPath)), " ")
}

// attachments are the names of the files within the document.
func (d *document) attachments() []block.Block {
	count, err := d.pdfium.FPDFDoc_GetAttachmentCount(&requests.FPDFDoc_GetAttachmentCount{Document: d.ref})
	if err != nil {
		return nil
	}
	var all []block.Block
	for i := range min(count.AttachmentCount, maxAttachments) {
		file, err := d.pdfium.FPDFDoc_GetAttachment(&requests.FPDFDoc_GetAttachment{Document: d.ref, Index: i})
		if err != nil {
			continue
		}
		name, err := d.pdfium.FPDFAttachment_GetName(&requests.FPDFAttachment_GetName{Attachment: file.Attachment})
		if err != nil {
			continue
		}
		if text := strings.Join(strings.Fields(bounded(name.Name)), " "); text != "" {
			all = append(all, block.Block{Kind: block.Attachment, Text: text})
		}
	}
	return all
}

// annotationText is a text of an annotation's dictionary.
func (d *document) annotationText(ref references.FPDF_ANNOTATION, name string) string {
	value, err := d.pdfium.FPDFAnnot_GetStringValue(&requests.FPDFAnnot_GetStringValue{Annotation: ref, Key: name})
	if err != nil {
		return ""
	}
	return bounded(value.Value)
}

// field is the name and value of a form field, or "" when nothing is filled in.
func (d *document) field(ref references.FPDF_ANNOTATION) string {
	if d.form == nil {
		return ""
	}
	value := d.fieldValue(ref)
	if value == "" {
		return ""
	}
	name := ""
	if r, err := d.pdfium.FPDFAnnot_GetFormFieldAlternateName(&requests.FPDFAnnot_GetFormFieldAlternateName{FormHandle: *d.form, Annotation: ref}); err == nil {
		name = bounded(r.FormFieldAlternateName)
	}
	if r, err := d.pdfium.FPDFAnnot_GetFormFieldName(&requests.FPDFAnnot_GetFormFieldName{FormHandle: *d.form, Annotation: ref}); name == "" && err == nil {
		name = bounded(r.FormFieldName)
	}
	if name == "" {
		return value
	}
	return name + ": " + value
}

func (d *document) fieldValue(ref references.FPDF_ANNOTATION) string {
	kind, err := d.pdfium.FPDFAnnot_GetFormFieldType(&requests.FPDFAnnot_GetFormFieldType{FormHandle: *d.form, Annotation: ref})
	if err != nil {
		return ""
	}
	switch kind.FormFieldType {
	case enums.FPDF_FORMFIELD_TYPE_CHECKBOX, enums.FPDF_FORMFIELD_TYPE_RADIOBUTTON:
		// The appearance says whether it is on; FPDFAnnot_IsChecked overlooks some that are.
		if state := d.annotationText(ref, "AS"); state == "" || state == "Off" {
			return ""
		}
	case enums.FPDF_FORMFIELD_TYPE_PUSHBUTTON, enums.FPDF_FORMFIELD_TYPE_SIGNATURE:
		return ""
	}
	value, err := d.pdfium.FPDFAnnot_GetFormFieldValue(&requests.FPDFAnnot_GetFormFieldValue{FormHandle: *d.form, Annotation: ref})
	if err != nil {
		return ""
	}
	return bounded(value.FormFieldValue)
}

func bounded(s string) string {
	s = strings.TrimSpace(block.Clean(s))
	if len(s) > maxAside {
		s = strings.ToValidUTF8(s[:maxAside], "") + "…"
	}
	return s
}
