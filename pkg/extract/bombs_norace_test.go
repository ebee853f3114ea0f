//go:build !race

package extract

// bombMemory is what a bomb's child may take in all, with PDFium loaded.
const bombMemory = 100 << 20
