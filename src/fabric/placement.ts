import { Crowd } from './crowd.ts'
import type { Draft } from './draft.ts'
import { hasRoom, isSized, type Needs } from './room.ts'
import type { DeploymentRecord, InstanceRecord, NodeRecord, RoleRecord } from './state.ts'
import { processesOf } from './state.ts'
import { refuse } from './refusal.ts'

/** Upgrade domain of instance `index` (Cloud Services: index modulo the count, zero-based). */
export function upgradeDomainOf(index: number, count: number): number {
  return index % count
}

/** An instance's domain is what its node declares (Service Fabric's way), else by its index (Cloud Services'). */
export function domainAt(node: Readonly<NodeRecord> | null, index: number, count: number): number {
  return node?.facts.upgradeDomain ?? upgradeDomainOf(index, count)
}

/** Fault domain of a node: its own word, else two domains by turns, as the Azure fabric shows. */
export function faultDomainOf(node: Readonly<NodeRecord>): number {
  return node.facts.faultDomain ?? node.index % 2
}

/** May something new come here? Not where an operator empties it, nor where what was moved away may still run. */
function isOpen(node: Readonly<NodeRecord>): boolean {
  return node.draining === undefined && node.lost === undefined
}

/** The node of this name is one to leave. */
export function mustLeave(draft: Draft, name: string): boolean {
  const node = draft.nodes.get(name)
  return node !== undefined && !isOpen(node)
}

interface Place {
  readonly role: Readonly<RoleRecord>
  /** Its instances that have their place. */
  readonly placed: readonly Readonly<InstanceRecord>[]
  readonly upgradeDomain: number
  /** Counted already, by who places many in a row. */
  readonly crowd?: Crowd | undefined
}

/**
 * The node for one more instance of a role: connected, then of the domain it declares that has fewest of the role, then with
 * the fewest of it itself, then of it in the same upgrade domain, then in its fault domain, then of anything, then the
 * longest known.
 * Refuses with `no_nodes` where there is none.
 */
export function placeInstance(draft: Draft, place: Place): NodeRecord {
  const best = ranked(draft, place)[0]
  if (best !== undefined) return best
  const some = draft.nodes.keys().length > 0
  if ([...draft.nodes.values()].some(isOpen)) {
    refuse('no_room', `no node has room for one more instance of role ${place.role.name}: start another agent`)
  }
  refuse(
    'no_nodes',
    some
      ? 'every node is drained or lost: `vipswap node undrain NODE`, or start another agent'
      : 'no node has joined yet: start one with `vipswap agent --node NAME`',
  )
}

/** The node for what was there before and comes back, which nothing may refuse; null where no node is known. */
export function placeReturning(draft: Draft, place: Place): NodeRecord | null {
  const known = [...draft.nodes.values()]
  return ranked(draft, place)[0] ?? known.find(isOpen) ?? known[0] ?? null
}

/** Where an instance that has to leave its node can go: a connected node; null where there is none now. */
export function placeElsewhere(draft: Draft, place: Place & { leaving: string }): NodeRecord | null {
  return (
    ranked(draft, place).find(({ name }) => name !== place.leaving && draft.observed.nodes[name]?.online === true) ??
    null
  )
}

/**
 * Is there a connected node with room for an instance that has to leave its own? Asked of every instance at every change
 * while a node is to be left, so nothing is counted for it. `needs` are those of `needsOf`, asked for only where sizes are.
 */
export function hasPlaceElsewhere(
  draft: Draft,
  role: Readonly<RoleRecord>,
  leaving: string,
  needs: () => Needs,
): boolean {
  const there = [...draft.nodes.values()].filter(
    node => node.name !== leaving && isOpen(node) && draft.observed.nodes[node.name]?.online === true,
  )
  if (there.length === 0 || !isSized(draft, role)) return there.length > 0
  return there.some(node => hasRoom(draft, node, needs(), role))
}

function ranked(draft: Draft, { role, placed, upgradeDomain, crowd: counted }: Place): NodeRecord[] {
  const open = [...draft.nodes.values()].filter(isOpen)
  if (open.length === 0) return open
  const crowd = counted ?? new Crowd(draft, placed)
  const nodes = isSized(draft, role) ? open.filter(node => hasRoom(draft, node, crowd.needs, role)) : open
  if (nodes.length < 2) return nodes
  // A fault domain of more nodes may hold more.
  const members = new Map<number, number>()
  for (const node of nodes) members.set(faultDomainOf(node), (members.get(faultDomainOf(node)) ?? 0) + 1)
  const cost = (node: NodeRecord): readonly number[] => {
    const declared = node.facts.upgradeDomain
    const fault = faultDomainOf(node)
    return [
      draft.observed.nodes[node.name]?.online === true ? 0 : 1,
      declared === null ? 0 : crowd.inUpgradeDomain(declared),
      crowd.on(node.name),
      crowd.on(node.name, upgradeDomain),
      crowd.inFaultDomain(fault) / (members.get(fault) ?? 1),
      crowd.load(node.name),
      node.index,
    ]
  }
  return nodes
    .map(node => ({ node, cost: cost(node) }))
    .toSorted((a, b) => compareLists(a.cost, b.cost))
    .map(({ node }) => node)
}

function compareLists(a: readonly number[], b: readonly number[]): number {
  for (const [position, value] of a.entries()) {
    const difference = value - (b[position] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

/**
 * Gives each instance of a deployment the domain of the node it has come to. Not while it is walked: an instance that went
 * to a domain already done would never be reached.
 */
export function adoptDomains(draft: Draft, deployment: Readonly<DeploymentRecord>): void {
  if (deployment.upgrade !== null) return
  const count = deployment.upgradeDomainCount
  for (const { name, instances } of draft.rolesOf(deployment.id)) {
    const domains = instances.map(({ node, index }) => domainAt(draft.nodes.get(node) ?? null, index, count))
    if (instances.every((instance, position) => instance.upgradeDomain === domains[position])) continue
    const role = draft.roles.edit(`${deployment.id}/${name}`)
    for (const [position, instance] of (role?.instances ?? []).entries()) {
      instance.upgradeDomain = domains[position] ?? instance.upgradeDomain
    }
  }
}

/** Every process of a node, with its instance and role. */
export function processesOn(draft: Draft, node: string) {
  return [...draft.roles.values()].flatMap(role =>
    role.instances.flatMap(instance =>
      processesOf(instance)
        .filter(process => process.node === node)
        .map(process => ({ role, instance, process })),
    ),
  )
}
