// docsvc takes in documents asynchronously: presigned uploads, a Redis queue
// laid out as Python RQ's, workers that turn files into text and chunks.
package main

import (
	"os"

	"github.com/docsvc/docsvc/cmd"
)

func main() {
	os.Exit(cmd.Main(os.Args[1:], os.Stdout, os.Stderr))
}
