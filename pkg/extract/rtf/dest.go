package rtf

import (
	"strings"
	"time"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// destination is where the text of a group goes.
type destination int

const (
	toStory  destination = iota
	toNobody             // left out, and all that is in it
	toOthers             // left out, but groups within may go elsewhere
	toLabel              // the number of a list item
	toFonts
	toStyles
	toTitle
	toAuthor
	toCreated
	toModified
	toInfo
	toCommenter
)

// maxCapture bounds a text that is kept for later, in bytes.
const maxCapture = 4096

// style is an entry of the style sheet.
type style struct {
	heading int // from 1; 0 for none
	outline int // from 0; noOutline for none
	quote   bool
}

// info is what the document says of itself.
type info struct {
	title, author     string
	created, modified date
}

// date is one as the file has it, part by part.
type date struct{ year, month, day, hour, minute, second int }

func (d date) time() *time.Time {
	if d.year < 1900 || d.year > 9999 || d.month < 1 || d.month > 12 || d.day < 1 || d.day > 31 {
		return nil
	}
	t := time.Date(d.year, time.Month(d.month), d.day, d.hour, d.minute, d.second, 0, time.UTC)
	return &t
}

func (i info) metadata() block.Metadata {
	return block.Metadata{Title: i.title, Author: i.author, Created: i.created.time(), Modified: i.modified.time()}
}

// destinationOf knows the groups that are no text of the story they stand in.
func destinationOf(word string) (destination, bool) {
	switch word {
	case "fonttbl":
		return toFonts, true
	case "stylesheet":
		return toStyles, true
	case "info":
		return toInfo, true
	case "listtext", "pntext":
		return toLabel, true
	case "shpinst", "do":
		return toOthers, true
	case "colortbl", "pict", "nonshppict", "shppict", "objdata", "objclass", "objname", "fldinst", "datafield", "formfield", "shprslt", "sp", "listtable",
		"listoverridetable", "rsidtbl", "generator", "themedata", "colorschememapping", "latentstyles", "datastore", "xmlnstbl", "pgptbl", "revtbl", "filetbl",
		"bkmkstart", "bkmkend", "atrfstart", "atrfend", "atnid", "atntime", "atndate", "atnref", "atnicn", "atnparent", "tc", "xe", "rxe", "txe", "nonesttables",
		"ftnsep", "ftnsepc", "ftncn", "aftnsep", "aftnsepc", "aftncn", "background", "private", "passwordhash", "pnseclvl", "pn", "userprops", "docvar",
		"mmathPr", "template", "wgrffmtfilter", "ebcstart", "ebcend", "factoidname", "falt", "panose", "fontemb", "fontfile", "keywords", "comment", "doccomm",
		"operator", "company", "manager", "category", "subject", "hlinkbase", "mhtmltag", "htmltag", "picprop", "blipuid", "defchp", "defpap", "oldcprops", "oldpprops",
		"oldtprops", "oldsprops", "protusertbl", "writereservhash", "linkval", "staticval", "propname", "urtbl", "gridtbl", "listpicture", "levelnumbers", "leveltext":
		return toNobody, true
	}
	return 0, false
}

// storyOf knows the groups that are a text of their own beside the body.
func storyOf(word string) (block.Kind, bool) {
	switch word {
	case "header", "headerl", "headerr", "headerf":
		return block.Header, true
	case "footer", "footerl", "footerr", "footerf":
		return block.Footer, true
	case "footnote":
		return block.Footnote, true
	case "annotation":
		return block.Comment, true
	case "shptxt", "dptxbxtext":
		return block.TextBox, true
	}
	return "", false
}

// enter begins a destination, if the word is one; the group's first word only
// can be.
func (d *document) enter(t token) (bool, error) {
	if d.state.dest == toNobody {
		return true, nil
	}
	if kind, ok := storyOf(t.word); ok && (d.state.dest == toStory || d.state.dest == toOthers) {
		return true, d.beginStory(kind)
	}
	switch t.word {
	case "title", "author", "creatim", "revtim":
		if d.state.dest == toInfo {
			d.state.dest = map[string]destination{"title": toTitle, "author": toAuthor, "creatim": toCreated, "revtim": toModified}[t.word]
		}
		return d.state.dest != toStory, nil
	case "atnauthor":
		d.state.dest = toCommenter
		return true, nil
	case "upr": // the same text twice; that in Unicode follows as \*\ud
		d.state.dest = toOthers
		return true, nil
	case "ud":
		if len(d.groups) > 1 {
			d.state.dest = d.groups[len(d.groups)-2].dest
		}
		return true, nil
	}
	dest, ok := destinationOf(t.word)
	if !ok && d.state.optional && !transparent(t.word) {
		dest, ok = toNobody, true
	}
	if ok {
		d.state.dest = dest
	}
	return ok, nil
}

// transparent reports optional destinations whose text is of the story.
func transparent(word string) bool {
	switch word {
	case "nesttableprops", "s", "mmath", "mr", "me", "mf", "mnum", "mden", "mrad", "mdeg", "msSup", "msSub", "msSubSup", "msup", "msub", "mnary", "md", "mfunc", "mfName", "macc", "mbar",
		"mbox", "mborderBox", "mlimLow", "mlimUpp", "mlim", "mm", "mmr", "meqArr", "mphant", "mgroupChr", "msPre", "moMath", "moMathPara": // the parts of an equation that have text
		return true
	}
	return false
}

// captures reports whether text of the open group is kept for later.
func (s state) captures() bool {
	switch s.dest {
	case toLabel, toFonts, toStyles, toTitle, toAuthor, toCommenter:
		return true
	}
	return false
}

// keep adds text that isn't of a story to what it is wanted for.
func (d *document) keep(s string) {
	if d.state.dest == toLabel {
		d.top().label += s[:min(len(s), max(0, maxLabel-len(d.top().label)))]
		return
	}
	d.captured = append(d.captured, s[:min(len(s), max(0, maxCapture-len(d.captured)))]...)
}

// endDestination uses what a group held.
func (d *document) endDestination() {
	within := len(d.groups) > 0 && d.groups[len(d.groups)-1].dest == d.state.dest
	switch d.state.dest {
	case toFonts, toStyles:
	case toTitle, toAuthor, toCommenter:
		if within { // the group around it has more
			return
		}
	default:
		return
	}
	text := strings.Join(strings.Fields(block.Clean(strings.ToValidUTF8(string(d.captured), ""))), " ")
	d.captured = d.captured[:0]
	switch d.state.dest {
	case toTitle:
		d.info.title = text
	case toAuthor:
		d.info.author = text
	case toCommenter:
		d.top().commenter = text
	case toStyles:
		d.defineStyle(strings.TrimSuffix(text, ";"))
	}
}

// defineStyle ends an entry of the style sheet.
func (d *document) defineStyle(name string) {
	if d.groups[len(d.groups)-1].dest != toStyles || len(d.styles) >= maxTable {
		return // the end of the table itself
	}
	s := style{outline: d.state.outline}
	name, _, _ = strings.Cut(strings.ToLower(name), ";")
	if level, ok := strings.CutPrefix(name, "heading "); ok && len(level) == 1 && level[0] >= '1' && level[0] <= '9' {
		s.heading = int(level[0] - '0')
	}
	switch name {
	case "title":
		s.heading = 1
	case "subtitle":
		s.heading = 2
	case "quote", "intense quote", "quotations":
		s.quote = true
	}
	d.styles[d.state.style] = s
}

// dateWord reads a part of a date.
func (d *document) dateWord(t token) {
	to := &d.info.created
	if d.state.dest == toModified {
		to = &d.info.modified
	}
	switch t.word {
	case "yr":
		to.year = t.param
	case "mo":
		to.month = t.param
	case "dy":
		to.day = t.param
	case "hr":
		to.hour = t.param
	case "min":
		to.minute = t.param
	case "sec":
		to.second = t.param
	}
}
