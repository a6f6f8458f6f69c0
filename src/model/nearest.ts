import { distance } from 'fastest-levenshtein'

/** The word among `words` that `written` was probably meant to be, or null when none is close. */
export function nearest(written: string, words: Iterable<string>): string | null {
  const wanted = written.toLowerCase()
  const limit = Math.max(2, Math.floor(wanted.length / 3))
  let best: string | null = null
  let bestDistance = limit + 1
  for (const word of words) {
    const d = edits(wanted, word.toLowerCase())
    // A word of two letters is two edits away from any other: then at least half must agree.
    if (d < bestDistance && d <= Math.max(1, Math.floor(Math.max(wanted.length, word.length) / 2))) {
      best = word
      bestDistance = d
    }
  }
  return best
}

/** Letters that only changed places count as one slip. */
function edits(a: string, b: string): number {
  const letters = (word: string) => word.split('').sort().join('')
  return a !== b && letters(a) === letters(b) ? 1 : distance(a, b)
}

/** `write port` where one is close, else `remove it; known here: a, b`. */
export function suggest(written: string, words: readonly string[]): string {
  const word = nearest(written, words)
  if (word !== null) return `write ${word}`
  return words.length === 0 ? 'remove it' : `remove it; known here: ${words.join(', ')}`
}
