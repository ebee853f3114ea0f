// Package filewalk finds the files that somebody named on a command line:
// files, directories and patterns, in a fixed order and each file once.
//
//   - A directory is walked to the bottom, in order of names, hidden files
//     included, as rclone, restic and "aws s3 cp" do.
//   - A link to a file is read as that file, under the link's name. A link to
//     a directory is followed only when it was named itself, so that no loop
//     of links and nothing outside of what was named is ever walked.
//   - Named pipes, sockets and devices are reported and never opened.
//   - What can't be looked at is reported, and the walk goes on.
//   - A name that exists is that file, even with a * in it; else one with *, ?
//     or [ is a pattern, as in path/filepath.Match.
//   - What was named twice, or lies below what was walked before, is reported
//     once, where it came first.
//
// Memory: the names of one directory per level, and what was named.
package filewalk
