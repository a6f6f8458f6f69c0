const PORT_SHARES = 10

/** Nodes on one machine take ports from tenths of the range by turns, so that they rarely meet. */
export function shareOfPorts(range: { from: number; to: number }, index: number): { from: number; to: number } {
  const size = Math.floor((range.to - range.from + 1) / PORT_SHARES)
  if (size < 10) return range
  const from = range.from + (index % PORT_SHARES) * size
  return { from, to: from + size - 1 }
}
