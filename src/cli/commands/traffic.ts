import type { Command } from 'commander'
import { VipswapError } from '../../core/errors.ts'
import { table } from '../print/table.ts'
import { trafficText } from '../print/traffic.ts'
import { act, type VerbContext } from '../verb.ts'

interface Flags {
  readonly since?: string
  readonly mark?: string | true
  readonly marks?: boolean
}

/** `traffic`: what was counted, marks to count from. */
export function trafficVerb(program: Command, context: VerbContext): void {
  const command = program
    .command('traffic')
    .description('every request counted, by address, deployment and version')
    .option('--since <mark>', 'only what came after this mark (its name or label)')
    .option('--mark [label]', 'set a mark instead: a later --since counts from now')
    .option('--marks', 'list the marks there are')
  act<Flags>(command, context, async (session, { since, mark, marks }) => {
    if ([since, mark, marks].filter(flag => flag !== undefined).length > 1)
      throw new VipswapError('usage', 'write one of --since, --mark and --marks')
    const service = await session.service()
    const { client } = session
    if (marks === true) {
      const list = await client.marks(service)
      session.result('marks', { service, marks: list }, () =>
        table(
          ['MARK', 'AT', 'LABEL'],
          list.map(each => [each.mark, each.at, each.label ?? '']),
        ),
      )
    } else if (mark !== undefined) {
      const set = await client.mark(service, mark === true ? {} : { label: mark })
      session.result('mark', set, set.mark)
    } else {
      const view = await client.traffic(service, since)
      session.result('traffic', view, () => trafficText(view))
      session.note(`from here on: vipswap traffic --since ${view.next}`)
    }
  })
}
