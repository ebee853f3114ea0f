// Package cage takes from a process what a parser doesn't need, before it
// meets a stranger's file: the network, other programs, other processes, and
// the file system but for one directory. It needs no privileges.
//
// # What is in force, where the kernel has it (Linux)
//
//   - no_new_privs: nothing that the process starts gains rights.
//   - Landlock (5.13 and later): files can be opened only below the directories
//     named, TCP neither bound nor connected (6.7). The parent puts it on the thread that
//     starts the child (RestrictThread), so that it holds from the child's
//     first instruction on, on all of its threads, with and without cgo.
//   - seccomp: the system calls that Go's runtime and the parsers use are
//     allowed and every other one fails with EPERM: no sockets, no exec, no
//     fork, no ptrace, no mount, no signal to another process. The child puts it
//     on itself, on all threads at once (Enter).
//   - resource limits: no core dumps, no files written (unless it is to
//     compile), few descriptors. The parent adds one on memory (LimitMemory).
//
// What a kernel doesn't have is left out: extraction goes on, and the Report
// says what is missing. docsvc config check prints it.
package cage

// Protection is one part of the cage.
type Protection struct {
	Name    string `json:"name"`
	InForce bool   `json:"in_force"`
	// Note says what it is limited to, or why it isn't in force.
	Note string `json:"note"`
}

// Report is what a child found to be in force on itself.
type Report []Protection

// InForce reports whether a protection of this name is.
func (r Report) InForce(name string) bool {
	for _, p := range r {
		if p.Name == name {
			return p.InForce
		}
	}
	return false
}

// Names of protections.
const (
	NoNewPrivs = "no_new_privs"
	Landlock   = "landlock"
	Seccomp    = "seccomp"
	Limits     = "limits"
)

// Files are what a child may open.
type Files struct {
	Executable string   // to be started, and read by the loader
	Read       []string // directories
	Write      []string // directories that it may also change
	Run        []string // directories and files that it may read and start programs from
}
