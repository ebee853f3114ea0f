package cmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// errDeclined says that somebody was asked and did not agree.
var errDeclined = errors.New("nothing was deleted")

// confirm asks a question on stderr. It ends with ctx, too.
func (a *app) confirm(ctx context.Context, in io.Reader, question string) error {
	fmt.Fprintf(a.stderr, "%s [y/N] ", question)
	said, failed := make(chan string, 1), make(chan error, 1)
	go func() { // ends with the process: a read of a terminal can't be broken off
		line, err := bufio.NewReader(in).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			failed <- fmt.Errorf("reading the answer: %w", err)
			return
		}
		said <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-failed:
		return err
	case answer := <-said:
		if answer == "y" || answer == "yes" {
			return nil
		}
	}
	return errDeclined
}
