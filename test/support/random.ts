/** Numbers in [0, 1) that look random (xorshift32), the same for the same `start`, which is not 0. */
export function randomFrom(start: number): () => number {
  let state = start
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}
