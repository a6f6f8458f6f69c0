import type { InstanceObservation } from '../contracts/assignment.ts'
import type { ListenerStatus, ProxyStatus } from '../contracts/link.ts'
import { hasReached, type Revision } from '../contracts/revision.ts'
import { startAnchor } from './anchor.ts'
import { keepEarlier } from './around.ts'
import type { Draft } from './draft.ts'
import type { Input } from './input.ts'
import { adoptDomains } from './placement.ts'
import { completeBaselines } from './receipts.ts'
import type { ObservedNode, ObservedProxy } from './observed.ts'

type Of<K extends Input['kind']> = Extract<Input, { kind: K }>

const UNSEEN_PROXY: ObservedProxy = { online: false, acknowledged: null, listeners: [], status: null }
export const UNSEEN_NODE: ObservedNode = {
  online: false,
  silentSince: null,
  reported: false,
  revision: null,
  instances: {},
  packages: [],
  packageErrors: {},
}

/** What an incarnation that is gone still says is nobody's business. */
function setProxy(draft: Draft, incarnation: string, change: Partial<ObservedProxy>): void {
  if (draft.proxies.get(incarnation) === undefined) return
  const before = draft.observed.proxies[incarnation] ?? UNSEEN_PROXY
  draft.observed = {
    ...draft.observed,
    proxies: { ...draft.observed.proxies, [incarnation]: { ...before, ...change } },
  }
}

function setNode(draft: Draft, name: string, change: Partial<ObservedNode>): void {
  const before = draft.observed.nodes[name] ?? UNSEEN_NODE
  draft.observed = { ...draft.observed, nodes: { ...draft.observed.nodes, [name]: { ...before, ...change } } }
}

export function proxyConnected(draft: Draft, input: Of<'proxy-connected'>): void {
  // One that has not exited may carry traffic, also if no controller has ever heard of it.
  for (const { incarnation, exited } of input.predecessors) {
    if (exited) proxyExited(draft, incarnation)
    else join(draft, input.id, incarnation, input.bootId)
  }
  // Of an earlier boot nothing is left.
  for (const proxy of draft.proxies.values()) {
    if (proxy.id === input.id && proxy.bootId !== input.bootId) proxyExited(draft, proxy.incarnation)
  }
  join(draft, input.id, input.incarnation, input.bootId)
  setProxy(draft, input.incarnation, { online: true })
}

function join(draft: Draft, id: string, incarnation: string, bootId: string): void {
  if (draft.proxies.get(incarnation) !== undefined) return
  draft.proxies.put(incarnation, { id, incarnation, bootId })
  draft.event('proxy-joined', `proxy ${id} joined as ${incarnation}`)
}

export function proxyExited(draft: Draft, incarnation: string): void {
  if (draft.proxies.get(incarnation) !== undefined) {
    draft.proxies.delete(incarnation)
    draft.event('proxy-exited', `proxy incarnation ${incarnation} is gone`)
  }
  if (draft.observed.proxies[incarnation] === undefined) return
  const { [incarnation]: _gone, ...proxies } = draft.observed.proxies
  draft.observed = { ...draft.observed, proxies }
}

export function proxyAcknowledged(
  draft: Draft,
  incarnation: string,
  said: { revision: Revision; listeners: readonly ListenerStatus[]; status: ProxyStatus },
): void {
  setProxy(draft, incarnation, {
    online: true,
    acknowledged: said.revision,
    listeners: said.listeners,
    status: said.status,
  })
  completeBaselines(draft, incarnation)
}

export function proxyStatus(draft: Draft, incarnation: string, status: ProxyStatus): void {
  keepEarlier(draft)
  setProxy(draft, incarnation, { status })
  completeBaselines(draft, incarnation)
}

export function proxyDisconnected(draft: Draft, incarnation: string): void {
  setProxy(draft, incarnation, { online: false })
}

export function agentConnected(draft: Draft, input: Of<'agent-connected'>): void {
  const known = draft.nodes.edit(input.node)
  if (known === undefined) {
    const index = Math.max(-1, ...[...draft.nodes.values()].map(node => node.index)) + 1
    draft.nodes.put(input.node, { name: input.node, index, facts: input.facts })
    draft.event('node-joined', `node ${input.node} joined`)
  } else if (JSON.stringify(known.facts) !== JSON.stringify(input.facts)) {
    known.facts = input.facts
    for (const deployment of draft.deployments.values()) adoptDomains(draft, deployment)
  }
  setNode(draft, input.node, { online: true, silentSince: null, reported: false })
}

export function agentObserved(draft: Draft, input: Of<'agent-observed'>): void {
  setNode(draft, input.node, {
    online: true,
    silentSince: null,
    reported: true,
    revision: input.revision,
    instances: byKey(input.instances),
    packages: input.packages,
    packageErrors: input.packageErrors,
  })
}

/** Keys have a slash in them: none is a name that objects inherit. */
function byKey(instances: readonly InstanceObservation[]): Record<string, InstanceObservation> {
  const table: Record<string, InstanceObservation> = {}
  for (const instance of instances) table[instance.key] = instance
  return table
}

/** The table of `revision` equals the one this proxy acknowledged: its word and its counts hold for it. */
export function proxyReached(draft: Draft, incarnation: string, revision: Revision): void {
  const seen = draft.observed.proxies[incarnation]
  if (seen?.acknowledged == null || seen.status === null) return
  const status = hasReached(seen.status.revision, seen.acknowledged) ? { ...seen.status, revision } : seen.status
  setProxy(draft, incarnation, { acknowledged: revision, status })
}

/** The assignment of `revision` equals the one this agent applied. */
export function agentReached(draft: Draft, node: string, revision: Revision): void {
  if (draft.observed.nodes[node]?.revision != null) setNode(draft, node, { revision })
}

export function agentDisconnected(draft: Draft, node: string): void {
  const silentSince = draft.observed.nodes[node]?.silentSince ?? startAnchor(draft.now)
  setNode(draft, node, { online: false, silentSince, reported: false })
}
