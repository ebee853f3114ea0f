package standalone

import (
	"fmt"
	"os/exec"
	"regexp"
	"strconv"

	"github.com/rs/zerolog"
)

// minRedis is the oldest server that docsvc's scripts run on (6.2: LMOVE, COPY).
const minMajor, minMinor = 6, 2

// choice is the Redis engine to run.
type choice struct {
	name string // an Engine constant
	path string // of the executable; empty for miniredis
	hint string // what a person may want to know about the choice
}

// chooseEngine decides on the engine: the one that the data directory belongs
// to, else the one asked for, else the first that is there.
//
// find returns the executable of a server by its name.
func chooseEngine(d *dataDir, asked string, find func(name string) (string, error), log zerolog.Logger) (choice, error) {
	if !d.isNew() {
		return recordedEngine(d, asked, find)
	}
	switch asked {
	case EngineMiniredis:
		return choice{name: EngineMiniredis}, nil
	case EngineRedis, EngineValkey:
		path, err := find(asked)
		return choice{name: asked, path: path}, err
	case "":
	default:
		return choice{}, fmt.Errorf("unknown Redis engine %q: there are %s, %s and %s", asked, EngineRedis, EngineValkey, EngineMiniredis)
	}
	for _, name := range []string{EngineRedis, EngineValkey} {
		path, err := find(name)
		if err == nil {
			return choice{name: name, path: path}, nil
		}
		log.Debug().Err(err).Msg("not used as Redis engine")
	}
	return choice{name: EngineMiniredis, hint: "No redis-server was found; with one on PATH a new data directory (--data-dir) keeps everything."}, nil
}

// recordedEngine goes on with the engine that began the data directory, and
// never with another: that one would begin empty.
func recordedEngine(d *dataDir, asked string, find func(name string) (string, error)) (choice, error) {
	if asked != "" && asked != d.engine {
		return choice{}, fmt.Errorf("the data directory %s belongs to %s and cannot be opened with %s: go on with %s, or begin a new directory with --data-dir",
			d.path, d.engine, asked, d.engine)
	}
	switch d.engine {
	case EngineMiniredis:
		c := choice{name: EngineMiniredis}
		for _, name := range []string{EngineRedis, EngineValkey} {
			if _, err := find(name); err == nil {
				c.hint = fmt.Sprintf("A %s is on PATH, but this data directory was begun without it and stays so; a new one (--data-dir) would use it.", name)
				break
			}
		}
		return c, nil
	case EngineRedis, EngineValkey:
		path, err := find(d.engine)
		if err != nil {
			return choice{}, fmt.Errorf("the data directory %s belongs to %s: %w; install it again, or begin a new directory with --data-dir", d.path, d.engine, err)
		}
		return choice{name: d.engine, path: path}, nil
	}
	return choice{}, fmt.Errorf("the data directory %s belongs to the Redis engine %q, which this docsvc does not know: use the docsvc that began it", d.path, d.engine)
}

// findServer returns the path of a server on PATH that runs and is new enough.
func findServer(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("there is no %s on PATH", name)
	}
	out, err := exec.Command(path, "--version").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s does not run: %w", path, err)
	}
	// "Redis server v=7.0.15 sha=...", "Valkey server v=8.1.1 sha=..."
	m := regexp.MustCompile(`v=(\d+)\.(\d+)`).FindSubmatch(out)
	if m == nil {
		return "", fmt.Errorf("%s --version says %.100q, not a version", path, out)
	}
	major, _ := strconv.Atoi(string(m[1]))
	minor, _ := strconv.Atoi(string(m[2]))
	if major < minMajor || major == minMajor && minor < minMinor {
		return "", fmt.Errorf("%s is version %d.%d, older than %d.%d", path, major, minor, minMajor, minMinor)
	}
	return path, nil
}
