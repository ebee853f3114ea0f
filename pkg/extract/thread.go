package extract

import (
	"runtime"
	"sync"

	"github.com/docsvc/docsvc/pkg/extract/cage"
)

// newThread starts children of documents on a thread of its own from now on,
// with the right to read compiled code where that is now.
func (p *Pool) newThread() {
	t := &threadOwner{enter: func() {
		p.restrict(cage.Files{Executable: p.o.Executable, Read: p.code.readable(p.o.CacheDir)})
	}}
	p.mu.Lock()
	p.threads = append(p.threads, t)
	p.mu.Unlock()
}

func (p *Pool) thread() *threadOwner {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.threads[len(p.threads)-1]
}

// restrict puts on the calling thread what the children that it starts are to
// be kept to. Where that can't be, they report it (Pool.Cage).
func (p *Pool) restrict(f cage.Files) {
	if err := cage.RestrictThread(f); err != nil {
		p.o.Log.Debug().Err(err).Msg("extraction children can open files: Landlock is not in force")
	}
}

// threadOwner runs functions on one operating system thread that lives until
// stop: Linux kills a child (Pdeathsig) when the thread that started it ends.
type threadOwner struct {
	mu    sync.Mutex
	calls chan func()
	ended chan struct{}
	enter func() // runs on the thread before anything else; may be nil
}

func (t *threadOwner) do(f func() error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.calls == nil {
		calls, ended := make(chan func()), make(chan struct{})
		t.calls, t.ended = calls, ended
		go func() {
			defer close(ended)
			// Never unlocked: the thread ends with this goroutine.
			runtime.LockOSThread()
			if t.enter != nil {
				t.enter()
			}
			for call := range calls {
				call()
			}
		}()
	}
	result := make(chan error)
	t.calls <- func() { result <- f() }
	return <-result
}

func (t *threadOwner) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.calls != nil {
		close(t.calls)
		<-t.ended
		t.calls = nil
	}
}
