// Package rq is a job queue laid out in Redis exactly as Python's RQ 2.12
// lays it out, with every transition one atomic script.
package rq
