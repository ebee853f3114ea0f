package extract

// Complete fills in what can be told from the text alone once all blocks are
// there: the number of words and the language.
func Complete(d *Document) {}
