import type { OperationView } from '../../contracts/api/operation.ts'
import type { Session } from '../session.ts'
import { subjectOf } from './operation.ts'
import { visible } from './visible.ts'

const BAR_CELLS = 20

export interface Progress {
  show(operation: OperationView): void
  note(text: string): void
  /** Leaves what is drawn as it is; further notes go below it. */
  end(): void
}

/**
 * Progress of an operation on standard error: on a terminal redrawn in place with one bar per upgrade domain, elsewhere
 * a line with its time at each change. Nothing with `--quiet`.
 */
export function createProgress(session: Session): Progress {
  const { terminal, flags } = session
  if (flags.quiet === true) return { show: () => undefined, note: () => undefined, end: () => undefined }
  return terminal.redraws ? redrawn(session) : lined(session)
}

function redrawn({ terminal, colors }: Session): Progress {
  let drawn = 0
  const clear = (): string => (drawn === 0 ? '' : `\u001b[${drawn}A\u001b[0J`)
  return {
    show(operation) {
      const columns = Math.max(20, terminal.columns() - 1)
      const lines = [`${headOf(operation)}: ${stepOf(operation)}`, ...operationBars(operation)].map(line =>
        line.slice(0, columns),
      )
      const [head = '', ...bars] = lines
      terminal.err(`${clear()}${[colors.bold(head), ...bars.map(bar => colors.cyan(bar))].join('\n')}\n`)
      drawn = lines.length
    },
    note(text) {
      terminal.err(`${clear()}${colors.yellow(text)}\n`)
      drawn = 0
    },
    end() {
      drawn = 0
    },
  }
}

function lined({ terminal }: Session): Progress {
  let last = ''
  const line = (text: string): void => terminal.err(`${new Date().toISOString()} ${text}\n`)
  return {
    show(operation) {
      const domains = (operation.progress.domains ?? []).map(each => `domain ${each.domain} ${each.done}/${each.total}`)
      const text = [`${headOf(operation)}: ${stepOf(operation)}`, ...domains].join('; ')
      if (text !== last) line(text)
      last = text
    },
    note: line,
    end: () => undefined,
  }
}

function headOf(operation: OperationView): string {
  return `${operation.kind} ${subjectOf(operation)}`
}

function stepOf({ status, progress }: OperationView): string {
  if (status !== 'InProgress') return status
  return visible(
    `${progress.step} ${Math.round(progress.percent)} %${progress.message === '' ? '' : `, ${progress.message}`}`,
  )
}

/** One bar for each upgrade domain. */
export function operationBars({ progress }: OperationView): string[] {
  return (progress.domains ?? []).map(({ domain, done, total }) => {
    const filled = total === 0 ? BAR_CELLS : Math.round((done / total) * BAR_CELLS)
    return `  domain ${String(domain).padStart(2)} ${'#'.repeat(filled)}${'.'.repeat(BAR_CELLS - filled)} ${done}/${total}`
  })
}
