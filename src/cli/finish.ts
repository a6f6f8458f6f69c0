import type { Accepted, OperationView } from '../contracts/api/operation.ts'
import { VipswapError } from '../core/errors.ts'
import { EXIT } from './exit-codes.ts'
import { operationLine } from './print/operation.ts'
import { createProgress } from './print/progress.ts'
import { nextLines, slotTable } from './print/service.ts'
import { visible } from './print/visible.ts'
import type { Session } from './session.ts'

/**
 * What every changing verb does once its call was accepted: follow the operation, print how it ended, set the exit
 * status. With `--no-wait` only the operation's id is printed. Ctrl-C and `--timeout` leave the operation alone and say
 * how to watch it again.
 */
export async function finish(session: Session, { operationId }: Accepted): Promise<void> {
  if (session.flags.wait === false) {
    session.result('accepted', { operationId }, operationId)
    return
  }
  const operation = await watch(session, operationId)
  const slots = operation.status === 'Succeeded' ? await slotsAfter(session, operation) : ''
  session.result('operation', operation, slots)
  conclude(session, operation)
}

/** Follows an operation with progress on standard error. */
export async function watch(session: Session, id: string): Promise<OperationView> {
  const progress = createProgress(session)
  const { signal, done } = session.interruptible()
  const { timeout } = session.flags
  try {
    return await session.client.follow(id, {
      signal,
      onProgress: operation => progress.show(operation),
      onAway: error => progress.note(error === null ? 'the controller is back' : `${error.message}; trying again`),
      ...(timeout === undefined ? {} : { timeoutMs: timeout }),
    })
  } catch (error) {
    if (!(error instanceof VipswapError) || (error.code !== 'cancelled' && error.code !== 'timed_out')) throw error
    progress.end()
    throw new VipswapError(error.code, `${error.message}. Watch it again: vipswap operations ${id} -w`, error.details)
  } finally {
    progress.end()
    done()
  }
}

/** One line on how it ended, on standard error; exit status 1 unless it succeeded. */
export function conclude(session: Session, operation: OperationView): void {
  const { colors, terminal, flags } = session
  if (operation.status === 'Succeeded') {
    session.note(colors.green(operationLine(operation)))
    return
  }
  session.exitCode = EXIT.failed
  if (flags.json !== true || flags.quiet !== true) terminal.err(`${colors.red(visible(operationLine(operation)))}\n`)
}

async function slotsAfter({ client, flags }: Session, { service }: OperationView): Promise<string> {
  if (flags.json === true) return ''
  try {
    const view = await client.service(service)
    return [slotTable(view), ...nextLines(view)].join('\n')
  } catch {
    // Deleted just now.
    return ''
  }
}
