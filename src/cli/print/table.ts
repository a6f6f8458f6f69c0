/** Columns aligned for people: a header line, then one line per row. Empty cells show as `-`, several lines of a cell as one. */
export function table(header: readonly string[], rows: readonly (readonly string[])[], indent = ''): string {
  const filled = rows.map(row => row.map(cell => (cell === '' ? '-' : cell.replaceAll(/\s*[\r\n]+\s*/g, ' '))))
  const widths = header.map((title, column) => Math.max(title.length, ...filled.map(row => (row[column] ?? '').length)))
  return [header, ...filled]
    .map(row => indent + row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '))
    .map(line => line.trimEnd())
    .join('\n')
}
