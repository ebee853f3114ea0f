package cmd

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/docsvc/docsvc/pkg/extract"
)

// version is set by the linker; a plain "go build" or "go install" leaves it
// to the build information.
var version string

func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

func (a *app) versionCommand() *cobra.Command {
	var out output
	c := &cobra.Command{
		Use: "version", Short: "Print the version of docsvc and of its extractor", Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			v := struct {
				Version   string `json:"version"`
				Extractor string `json:"extractor_version"`
				Go        string `json:"go"`
				Platform  string `json:"platform"`
			}{buildVersion(), extract.Version(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
			return out.print(a.stdout, v, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "docsvc %s\nextractor %s\n%s %s\n", v.Version, v.Extractor, v.Go, v.Platform)
				return err
			})
		},
	}
	out.add(c)
	return c
}
