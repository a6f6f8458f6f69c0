/** Where a command reads and writes: the process, or a test. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Results. */
  out(text: string): void
  /** Progress, notes and errors. */
  err(text: string): void
  /** Is standard error a terminal that can redraw lines? */
  readonly redraws: boolean
  /** Is standard output one? */
  readonly drawsOn: boolean
  /** Is standard output a terminal at all, whatever it can do? What is written there is obeyed by it. */
  readonly obeys: boolean
  readonly colors: boolean
  columns(): number
  rows(): number
  /** Calls `listener` at each Ctrl-C or SIGTERM, instead of dying. Returns how to stop. */
  onInterrupt(listener: (signal: NodeJS.Signals) => void): () => void
}

/** This process. Honours `NO_COLOR`, `FORCE_COLOR`, `CI` and `TERM=dumb`. */
export function processTerminal(): Terminal {
  const { env } = process
  const plain = set(env['CI']) || env['TERM'] === 'dumb'
  const redraws = process.stderr.isTTY && !plain
  // A reader that went away (`vipswap events | head`) is no failure.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', error => {
      if ('code' in error && error.code === 'EPIPE') process.exit(0)
      throw error
    })
  }
  return {
    env,
    redraws,
    drawsOn: process.stdout.isTTY && !plain,
    obeys: process.stdout.isTTY,
    colors: set(env['FORCE_COLOR']) || (redraws && !set(env['NO_COLOR'])),
    out: text => void process.stdout.write(`${text}\n`),
    err: text => void process.stderr.write(text),
    columns: () => known(process.stderr.columns) ?? 80,
    rows: () => known(process.stdout.rows) ?? 24,
    onInterrupt(listener) {
      process.on('SIGINT', listener)
      process.on('SIGTERM', listener)
      return () => {
        process.off('SIGINT', listener)
        process.off('SIGTERM', listener)
      }
    },
  }
}

/** A terminal that was never told its size says 0. */
function known(size: number | undefined): number | undefined {
  return size === 0 ? undefined : size
}

function set(value: string | undefined): boolean {
  return value !== undefined && value !== '' && value !== '0'
}
