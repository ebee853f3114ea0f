// Package failpoint lets a test end or stop a docsvc process between any two
// of its calls to Redis or storage. The product has none of it: without the
// build tag "failpoint" Hit and Script are empty and nothing here is linked.
//
// With the tag, every call has two names, redis:before:NAME and
// redis:after:NAME, where NAME is the script (claim, finish) or the command
// (hget), and s3:before:OP and s3:after:OP, where OP is get, put, head,
// delete, list, copy and so on. What happens at a name is set in the environment:
//
//	FAILPOINT          kill@NAME#N or stop@NAME#N: the process sends itself
//	                   SIGKILL or SIGSTOP when it passes NAME the Nth time
//	FAILPOINT_SEEN     a file to which each name is appended when it is passed
//	                   for the first time ("seen NAME"), and when its turn has
//	                   come ("hit NAME")
//	FAILPOINT_HISTORY  a file to which each claim, finish and recovery is
//	                   appended when it is asked for and when it is answered,
//	                   see Record
//
// Files are appended to with one write a line, so that a process that is
// killed leaves whole lines.
package failpoint
