import type { Command } from 'commander'
import type { EventView } from '../../contracts/api/event.ts'
import { conclude, finish, watch as follow } from '../finish.ts'
import { EXIT } from '../exit-codes.ts'
import { operationLine, operationTable } from '../print/operation.ts'
import { receiptText } from '../print/receipt.ts'
import { act, count, type VerbContext } from '../verb.ts'

/** `operations`, `force`, `receipt`, `events`, `logs`. */
export function historyVerbs(program: Command, context: VerbContext): void {
  const operations = program
    .command('operations [operation]')
    .description('what was done and is being done; or one operation')
    .option('-w, --watch', 'follow the operation to its end')
    .option('--limit <number>', 'at most so many', count)
  act<{ watch?: boolean; limit?: number }>(operations, context, async (session, flags, [id]) => {
    const { client } = session
    if (id === undefined) {
      const { service } = session.flags
      const list = await client.operations({
        ...(service === undefined ? {} : { service }),
        ...(flags.limit === undefined ? {} : { limit: flags.limit }),
      })
      session.result('operations', { operations: list }, () => operationTable(list))
    } else if (flags.watch === true) {
      const operation = await follow(session, id)
      session.result('operation', operation, '')
      conclude(session, operation)
    } else {
      const operation = await client.operation(id)
      session.result('operation', operation, () => operationLine(operation))
    }
  })

  const force = program
    .command('force <operation>')
    .description('let an operation go on without silent peers and below its capacity floor; its guarantee is waived')
  act(force, context, async (session, _flags, [id = '']) => {
    await finish(session, await session.client.force(id, session.how))
  })

  const receipt = program
    .command('receipt <operation>')
    .description('what an ended operation did, and every request counted')
  act(receipt, context, async (session, _flags, [id = '']) => {
    const found = await session.client.receipt(id)
    session.result('receipt', found, () => receiptText(found))
  })

  const events = program
    .command('events')
    .description('the timeline of everything')
    .option('-f, --follow', 'go on with what comes')
    .option('--after <number>', 'only events after this one', count)
  act<{ follow?: boolean; after?: number }>(events, context, async (session, flags) => {
    const { signal, done } = session.interruptible()
    const { service } = session.flags
    try {
      const timeline = session.client.events({
        signal,
        follow: flags.follow === true,
        onGap: ({ after, missed }) => session.note(`${missed} events after ${after} are not kept any more`),
        ...(flags.after === undefined ? {} : { after: flags.after }),
        ...(service === undefined ? {} : { service }),
      })
      for await (const event of timeline) session.result('event', event, () => eventLine(event))
      if (signal.aborted) session.exitCode = EXIT.interrupted
    } finally {
      done()
    }
  })

  const logs = program
    .command('logs <instance>')
    .description('what an instance wrote')
    .option('-f, --follow', 'go on with what it writes')
    .option('--tail <bytes>', 'begin so many bytes before the end', count)
  act<{ follow?: boolean; tail?: number }>(logs, context, async (session, flags, [instance = '']) => {
    const { signal, done } = session.interruptible()
    try {
      const text = session.client.logs(await session.service(), session.slot, instance, {
        signal,
        follow: flags.follow === true,
        ...(flags.tail === undefined ? {} : { tail: flags.tail }),
      })
      let rest = ''
      for await (const piece of text) {
        const lines = (rest + piece).split('\n')
        rest = lines.pop() ?? ''
        for (const line of lines) session.result('log', { instance, line }, line === '' ? ' ' : line)
      }
      if (rest !== '') session.result('log', { instance, line: rest }, rest)
      if (signal.aborted) session.exitCode = EXIT.interrupted
    } finally {
      done()
    }
  })
}

function eventLine(event: EventView): string {
  const where = [event.service, event.slot, event.instance].filter(part => part !== undefined).join('/')
  return `${event.at} ${String(event.seq).padStart(5)} ${event.kind}${where === '' ? '' : ` ${where}`}: ${event.message}`
}
