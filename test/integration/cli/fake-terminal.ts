import type { Terminal } from '../../../src/cli/terminal.ts'

/** A terminal that remembers; `interrupt` is Ctrl-C. */
export interface FakeTerminal extends Terminal {
  stdout: string
  stderr: string
  interrupt(): void
}

export function fakeTerminal(options: { redraws?: boolean; env?: Record<string, string> } = {}): FakeTerminal {
  const listeners = new Set<(signal: NodeJS.Signals) => void>()
  const terminal: FakeTerminal = {
    env: options.env ?? {},
    redraws: options.redraws ?? false,
    drawsOn: options.redraws ?? false,
    obeys: options.redraws ?? false,
    colors: false,
    stdout: '',
    stderr: '',
    columns: () => 100,
    rows: () => 40,
    out: text => void (terminal.stdout += `${text}\n`),
    err: text => void (terminal.stderr += text),
    onInterrupt(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    interrupt() {
      for (const listener of listeners) listener('SIGINT')
    },
  }
  return terminal
}
