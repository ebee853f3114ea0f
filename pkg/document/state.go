package document

// State is where a document stands, the API's "status".
type State string

// The states. A document is created in AwaitingUpload and always ends in one
// of the last four.
const (
	AwaitingUpload     State = "awaiting_upload"
	Uploaded           State = "uploaded" // its job is queued or scheduled
	Extracting         State = "extracting"
	CheckingDuplicates State = "checking_duplicates"
	Chunking           State = "chunking"
	Completed          State = "completed"
	Duplicate          State = "duplicate"
	Failed             State = "failed"
	Canceled           State = "canceled"
)

// States returns all states in the order in which a document passes them.
func States() []State {
	return []State{AwaitingUpload, Uploaded, Extracting, CheckingDuplicates, Chunking, Completed, Duplicate, Failed, Canceled}
}

// Final reports whether nothing happens to a document of this state by itself.
func (s State) Final() bool {
	switch s {
	case Completed, Duplicate, Failed, Canceled:
		return true
	}
	return false
}

// Succeeded reports whether the document has text and chunks to read.
func (s State) Succeeded() bool { return s == Completed || s == Duplicate }

// Active reports whether a job is to bring the document further.
func (s State) Active() bool { return s == Uploaded || s.Working() }

// Working reports whether a worker has said that it works on the document.
func (s State) Working() bool {
	return s == Extracting || s == CheckingDuplicates || s == Chunking
}
