//go:build race

package extract

// bombMemory is what a bomb's child may take; the race detector takes a
// multiple of what the program does.
const bombMemory = 512 << 20
