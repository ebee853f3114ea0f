//go:build linux && !race

package extract

import (
	"testing"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/cage"
)

// Nobody sees one huge allocation coming: the system refuses it.
func TestTheSystemRefusesAHugeAllocation(t *testing.T) {
	t.Parallel()
	p := testPool(t, func(o *PoolOptions) { o.MemoryLimit = 192 << 20 })
	p.bound = cage.LimitMemory
	p.rss = func(int) (int64, bool) { return 0, false }
	_, err := extractText(t, p, "!huge")
	wantCode(t, err, block.CodeMemory)
	stillWorks(t, p)
}
