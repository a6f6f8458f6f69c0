export type Cell = string | number

/** Columns aligned for a terminal: words to the left, numbers to the right, numbers with at most two decimals. */
export function table(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const texts = [head, ...rows].map(row => row.map(text))
  const widths = head.map((_, column) => Math.max(...texts.map(row => row[column]?.length ?? 0)))
  const lines = texts.map((row, index) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0
        const right =
          index === 0 ? typeof rows[0]?.[column] === 'number' : typeof rows[index - 1]?.[column] === 'number'
        return right ? cell.padStart(width) : cell.padEnd(width)
      })
      .join('  ')
      .trimEnd(),
  )
  return [lines[0], widths.map(width => '-'.repeat(width)).join('  '), ...lines.slice(1)].join('\n')
}

function text(cell: Cell): string {
  return typeof cell === 'number' && !Number.isInteger(cell) ? cell.toFixed(2) : String(cell)
}

/** The value below which `share` (0 to 1) of the values lie; 0 of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}
