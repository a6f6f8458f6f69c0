import { closeSync, openSync, readSync } from 'node:fs'
import type { Line } from '../system/faults/history/line.ts'

export type LineOf<K extends Line['type']> = Extract<Line, { readonly type: K }>

/** What a checker reads: lines of some kinds in the order of the recording, as often as it likes. */
export interface History {
  lines<K extends Line['type']>(...types: readonly K[]): Iterable<LineOf<K>>
}

/** A history in memory. */
export function historyOf(lines: readonly Line[]): History {
  return {
    lines<K extends Line['type']>(...types: readonly K[]) {
      return lines.filter((line): line is LineOf<K> => types.some(type => type === line.type))
    },
  }
}

const PIECE_BYTES = 1 << 20

/** A recording on disk, read anew for each question: an hour of it does not fit into memory. */
export function historyIn(file: string): History {
  return {
    *lines<K extends Line['type']>(...types: readonly K[]) {
      // No text within a line can look like this, since its quotes are escaped.
      const marks = types.map(type => `"type":"${type}"`)
      for (const text of linesOf(file)) {
        // Written by the recorder, whose type this is.
        if (marks.some(mark => text.includes(mark))) yield JSON.parse(text) as LineOf<K>
      }
    },
  }
}

function* linesOf(file: string): Generator<string> {
  const descriptor = openSync(file, 'r')
  const decoder = new TextDecoder()
  try {
    const piece = Buffer.alloc(PIECE_BYTES)
    let rest = ''
    for (;;) {
      const length = readSync(descriptor, piece)
      if (length === 0) break
      const lines = (rest + decoder.decode(piece.subarray(0, length), { stream: true })).split('\n')
      rest = lines.pop() ?? ''
      yield* lines
    }
    if (rest.endsWith('}')) yield rest
  } finally {
    closeSync(descriptor)
  }
}
