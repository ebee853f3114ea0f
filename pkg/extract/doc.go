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
//     child also watches itself, for systems where the parent can't look, and
//     the system refuses it one huge allocation;
//   - frame size, the sum of all text, the number of blocks: coded too_large;
//   - a cancelled context kills the child at once.
//
// Files, network, other programs and processes are out of a child's reach where the
// kernel allows that: see package cage. Parts, nesting and expansion are the
// parsers' to bound, by block.Options.
//
// A page that ends its child is left out, and another child goes on with the
// pages after it. A document without pages gets a second try in a fresh child,
// within the same wall clock: the first may have been ended from outside. After
// a second child nothing more is tried; text of any page makes a partial
// document (extraction.go), none an error coded crash, memory or timeout.
//
// # Two children for one document
//
// A PDF of many pages is read by two children when a slot of the pool is free
// that nobody waits for (assist.go). One has the document and makes blocks of its pages, as
// it would alone; the other reads some of them for it:
//
//	child with the document --wanted, order--> parent --order--> child that helps
//	                        <--help, pages----        <--pages--
//
// So what comes of a document doesn't depend on who read what. The parent carries the
// pages and doesn't look into them. The slot goes to a waiting document at the next order;
// what the helper was asked for and has not sent, the first child reads itself.
//
// # The channel
//
// Parent and child share a socket pair, descriptor 3 of the child. Frames are
// length-prefixed JSON (see frame.go); the file travels as a descriptor over
// the same socket. Standard output is not used, and standard error of the child goes to
// the parent's debug log. Everything that a child sends is bounded and
// checked as if it came from the network.
package extract
