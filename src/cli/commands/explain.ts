import type { Command } from 'commander'
import type { ExplainView } from '../../contracts/api/explain.ts'
import { act, type VerbContext } from '../verb.ts'

/** `explain`: why an instance is as it is. */
export function explainVerb(program: Command, context: VerbContext): void {
  const command = program.command('explain <instance>').description('why an instance is as it is')
  act(command, context, async (session, _flags, [instance = '']) => {
    const found = await session.client.explain(await session.service(), session.slot, instance)
    session.result('explain', found, () => text(found))
  })
}

function text({ instance, reasons, health, log }: ExplainView): string {
  const { id, role, version, upgradeDomain, node, inFlight } = instance
  return [
    `${id} of role ${role}, version ${version}, domain ${upgradeDomain}${node === '' ? '' : ` on ${node}`}, ${inFlight} in flight`,
    ...reasons.map(reason => `  ${reason}`),
    ...health.map(({ state, description }) => `  health ${state}: ${description}`),
    ...(log.length === 0 ? [] : ['its last lines:', ...log.map(line => `  | ${line}`)]),
  ].join('\n')
}
