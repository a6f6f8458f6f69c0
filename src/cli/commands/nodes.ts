import type { Command } from 'commander'
import { finish } from '../finish.ts'
import { table } from '../print/table.ts'
import { act, type VerbContext } from '../verb.ts'

/** `nodes`, `node drain|undrain`, `drain`, `undrain`. */
export function nodeVerbs(program: Command, context: VerbContext): void {
  act(program.command('nodes').description('the nodes that run instances'), context, async session => {
    const nodes = await session.client.nodes()
    session.result('nodes', { nodes }, () =>
      table(
        ['NODE', 'STATUS', 'USE', 'FAULT DOMAIN', 'UPGRADE DOMAIN', 'INSTANCES', 'HOST', 'HOLDS TO'],
        nodes.map(each => [
          each.name,
          each.status,
          each.use,
          String(each.faultDomain),
          each.upgradeDomain === null ? 'by index' : String(each.upgradeDomain),
          String(each.instances),
          each.host,
          each.confines.join(' ') || '-',
        ]),
      ),
    )
  })

  const node = program.command('node').description('empty one node, or use it again')
  for (const [kind, description] of [
    ['drain', 'move all instances to other nodes, one upgrade domain at a time, and place nothing new here'],
    ['undrain', 'use the node again; what has left does not come back by itself'],
  ] as const) {
    act(node.command(`${kind} <node>`).description(description), context, async (session, _flags, [name = '']) => {
      await finish(session, await session.client.drainNode(kind, name, session.how))
    })
  }

  for (const [kind, description] of [
    ['drain', 'take one instance out of rotation; its process is kept'],
    ['undrain', 'put a drained instance back into rotation'],
  ] as const) {
    const command = program.command(`${kind} <instance>`).description(description)
    act(command, context, async (session, _flags, [instance = '']) => {
      const service = await session.service()
      await finish(session, await session.client.drainInstance(kind, service, session.slot, instance, session.how))
    })
  }
}
