// Package client calls docsvc's HTTP API.
//
// Every call may be repeated: presigning with resume, processing, patching and
// taking in an object give the same answer twice. So each goes on after a lost
// connection and after 429, 502, 503 and 504, waiting longer each time, as
// Retry-After says where the server does, and gives up after Config.Patience, or
// when no call was answered for as long as that. What then stands in the way is an
// *UnreachableError; what the server answered is a *Problem.
//
// Put sends a file to the storage, past the API. It never holds a file in
// memory, goes on however slow the network is, and gives up when nothing
// moves at all.
package client
