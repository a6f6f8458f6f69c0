// Compares what a page shows of a command's output with what the command writes, where times, ports and chance differ.

/** One spelling for what differs from run to run: times, durations, digests, process ids, who answered. */
function loosened(line: string): string {
  return line
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replaceAll(/\b\d+(?:\.\d+)? ?(?:ms|s|m|µs)\b/g, 'DURATION')
    .replaceAll(/\b[0-9a-f]{12,64}\b/g, 'DIGEST')
    .replaceAll(/\bpid \d+/g, 'PID')
    .replaceAll(/(by |"instance":")\w+_IN_\d+/g, '$1INSTANCE')
    .replaceAll(/\bnode-\d+/g, 'NODE')
    .replaceAll(/\s+/g, ' ')
    .trim()
}

/**
 * Answers the first shown line that was not written, null if all were: lines that follow each other in the page follow
 * each other in the output; a line `...` stands for any.
 */
export function missingLine(shown: string, written: string): string | null {
  const output = written.split('\n').map(loosened)
  let from = 0
  for (const part of shown.trimEnd().split(/^\s*\.\.\.\s*$/m)) {
    const lines = part.split('\n').filter(line => line.trim() !== '')
    const wanted = lines.map(loosened)
    const kept = output
      .map((line, index) => ({ line, index }))
      .filter(({ line, index }) => line !== '' && index >= from)
    const at = kept.findIndex((_, start) => wanted.every((line, offset) => kept[start + offset]?.line === line))
    if (at === -1) return lines.find((_, index) => !kept.some(({ line }) => line === wanted[index])) ?? lines[0] ?? ''
    from = (kept[at + wanted.length - 1]?.index ?? from) + 1
  }
  return null
}
