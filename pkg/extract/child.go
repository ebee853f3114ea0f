package extract

import "context"

// RunChild is the body of the child process: it serves documents that the
// parent sends over descriptor 3 until that is closed, and returns the exit
// code. Nothing else may use the process.
func RunChild(ctx context.Context) int { return 1 }
