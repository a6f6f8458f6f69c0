import type { Draft } from './draft.ts'
import type { InstanceRecord, NodeRecord } from './state.ts'
import { refuse } from './refusal.ts'

/** Upgrade domain of instance `index` (Cloud Services: index modulo the count, zero-based). */
export function upgradeDomainOf(index: number, count: number): number {
  return index % count
}

/** Fault domain of a node: its own word, else two domains by turns, as the Azure fabric shows. */
export function faultDomainOf(node: NodeRecord): number {
  return node.facts.faultDomain ?? node.index % 2
}

/**
 * The node for one more instance of a role: the one with the fewest instances of that role, then of that role in the same
 * upgrade domain, then of anything, then the longest known. Refuses with `no_nodes` where there is none.
 */
export function placeInstance(draft: Draft, placed: readonly InstanceRecord[], upgradeDomain: number): NodeRecord {
  const nodes = [...draft.nodes.values()]
  const load = new Map<string, number>()
  for (const role of draft.roles.values())
    for (const instance of role.instances) load.set(instance.node, (load.get(instance.node) ?? 0) + 1)
  const cost = (node: NodeRecord): readonly number[] => {
    const here = placed.filter(instance => instance.node === node.name)
    const together = here.filter(instance => instance.upgradeDomain === upgradeDomain).length
    const online = draft.observed.nodes[node.name]?.online === true ? 0 : 1
    return [online, here.length, together, load.get(node.name) ?? 0, node.index]
  }
  const best = nodes.toSorted((a, b) => compareLists(cost(a), cost(b)))[0]
  if (best === undefined) refuse('no_nodes', 'no node has joined yet: start one with `vipswap agent --node NAME`')
  return best
}

function compareLists(a: readonly number[], b: readonly number[]): number {
  for (const [position, value] of a.entries()) {
    const difference = value - (b[position] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}
