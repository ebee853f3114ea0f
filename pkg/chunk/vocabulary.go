package chunk

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"io"
	"sync"
)

// packedVocabulary is cl100k_base as published with tiktoken (MIT licence):
// for every token in the order of its rank one byte with its length, then its
// bytes; gzip. It is 3 MB less in the binary than the same as Go source.
//
//go:embed cl100k.bin.gz
var packedVocabulary []byte

// vocabulary is the rank of every token, unpacked when first asked for.
var vocabulary = sync.OnceValues(func() (map[string]uint32, error) { return unpack(packedVocabulary) })

func unpack(packed []byte) (map[string]uint32, error) {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("unpacking the vocabulary: %w", err)
	}
	raw, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("unpacking the vocabulary: %w", err)
	}
	text := string(raw)
	ranks := make(map[string]uint32, 1<<17)
	for i, rank := 0, uint32(0); i < len(text); rank++ {
		n := int(text[i])
		if i+1+n > len(text) {
			return nil, fmt.Errorf("unpacking the vocabulary: it ends within token %d", rank)
		}
		ranks[text[i+1:i+1+n]] = rank
		i += 1 + n
	}
	return ranks, nil
}

// never is the rank of a pair that is no token.
const never = ^uint32(0)

// node is a part of a piece that is being encoded: from its index up to next.
type node struct {
	prev, next int32
	rank       uint32 // of the token that this part and the next would make
}

// encode counts the tokens that byte-pair encoding makes of a piece: of all
// neighbours the pair with the lowest rank is joined, the leftmost of equals,
// until none is a token. It takes n log n.
func encode(ranks map[string]uint32, piece string) int {
	if _, whole := ranks[piece]; whole || len(piece) < 2 {
		return min(len(piece), 1)
	}
	n := int32(len(piece))
	nodes := make([]node, n+1)
	queue := make(pairs, 0, n)
	rate := func(i int32) {
		nodes[i].rank = never
		if next := nodes[i].next; next < n {
			if rank, ok := ranks[piece[i:nodes[next].next]]; ok {
				nodes[i].rank = rank
				queue.push(pair{rank, i})
			}
		}
	}
	for i := range n + 1 {
		nodes[i] = node{prev: i - 1, next: i + 1, rank: never}
	}
	for i := range n {
		rate(i)
	}
	parts := int(n)
	for len(queue) > 0 {
		p := queue.pop()
		if nodes[p.at].rank != p.rank { // joined or rated anew since
			continue
		}
		gone := nodes[p.at].next
		nodes[gone].rank = never
		nodes[p.at].next = nodes[gone].next
		nodes[nodes[gone].next].prev = p.at
		parts--
		rate(p.at)
		if prev := nodes[p.at].prev; prev >= 0 {
			rate(prev)
		}
	}
	return parts
}

// pair is a candidate for joining: the part at and the one after it.
type pair struct {
	rank uint32
	at   int32
}

func (p pair) before(q pair) bool { return p.rank < q.rank || p.rank == q.rank && p.at < q.at }

// pairs is a binary heap.
type pairs []pair

func (h *pairs) push(p pair) {
	*h = append(*h, p)
	s := *h
	for i := len(s) - 1; i > 0; {
		up := (i - 1) / 2
		if !s[i].before(s[up]) {
			return
		}
		s[i], s[up] = s[up], s[i]
		i = up
	}
}

func (h *pairs) pop() pair {
	s := *h
	top, last := s[0], len(s)-1
	s[0] = s[last]
	s = s[:last]
	*h = s
	for i := 0; ; {
		least := i
		for _, down := range []int{2*i + 1, 2*i + 2} {
			if down < len(s) && s[down].before(s[least]) {
				least = down
			}
		}
		if least == i {
			return top
		}
		s[i], s[least] = s[least], s[i]
		i = least
	}
}
