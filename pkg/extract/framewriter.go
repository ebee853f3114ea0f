package extract

import (
	"encoding/binary"
	"io"
	"sync"
	"time"
)

// frameWriter writes frames to the parent, each with one call.
type frameWriter struct {
	mu  sync.Mutex
	w   io.Writer
	buf []byte
}

func (w *frameWriter) send(t frameType, v any) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var err error
	if w.buf, err = appendFrame(w.buf[:0], t, v); err != nil {
		return err
	}
	_, err = w.w.Write(w.buf)
	return err
}

// tick sends m at every interval until the function it returns is called.
func (w *frameWriter) tick(every time.Duration, m progressMessage) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				if w.send(frameProgress, m) != nil {
					return
				}
			case <-quit:
				return
			}
		}
	}()
	return func() { close(quit); <-done }
}

// sendBytes sends a frame whose payload is no JSON.
func (w *frameWriter) sendBytes(t frameType, payload []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf = binary.BigEndian.AppendUint32(w.buf[:0], uint32(len(payload)))
	w.buf = append(append(w.buf, byte(t)), payload...)
	_, err := w.w.Write(w.buf)
	return err
}
