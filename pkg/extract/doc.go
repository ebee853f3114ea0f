// Package extract turns files into text with structure: headings, paragraphs,
// lists, tables, and beside the body what stands apart from it.
//
// # Why a child process
//
// Parsers meet whatever is uploaded. Some of it makes them run out of memory,
// loop for ever or end the process, and none of that can be caught inside a Go
// program. So every parse runs in a child: the same binary, started again with
// Pool's Args, which calls RunChild. A document that kills its child costs
// that document; the worker, its other documents and the next one are not touched.
//
//	      lease                job + descriptor            frames
//	Pool -------> idle child ------------------> parse ---------------> done | error
//	  ^  (or start one)                            |                        |
//	  |                                            | crash, hang, memory,   |
//	  |                                            v cancel                 |
//	  |                                 killed with its group, reaped       |
//	  +----------------------- given back, or replaced when used up <-------+
//
// # What the parent enforces
//
//   - wall clock (PoolOptions.Timeout) and progress (ProgressTimeout without a
//     frame): the child is killed, the error is coded timeout;
//   - resident memory, polled while a document is in work: coded memory. The
//     child also watches itself, for systems where the parent can't look;
//   - frame size, the sum of all text, the number of blocks: coded too_large;
//   - a cancelled context kills the child at once.
//
// A child that dies without being killed by us gets the document a second
// try in a fresh child, within the same wall clock: it may have been ended from outside. The
// second death is the document's fault, coded crash.
//
// # The channel
//
// Parent and child share a socket pair, descriptor 3 of the child. Frames are
// length-prefixed JSON (see frame.go); the file travels as a descriptor over
// the same socket. Standard output is not used, and standard error of the child goes to
// the parent's debug log. Everything that a child sends is bounded and
// checked as if it came from the network.
package extract
