import type { Draft } from './draft.ts'
import { probingNode } from './fronted.ts'
import type { InstanceRecord, ProcessRecord, RoleRecord } from './state.ts'
import { instanceKey } from './keys.ts'
import { specOf } from './instances.ts'

/** What its agent last reported of this process since this controller started; of what is not ours, the probing node's agent. */
export function observationOf(draft: Draft, deployment: string, instance: Readonly<ProcessRecord>) {
  const node = instance.node === '' ? probingNode(draft.nodes.values()) : instance.node
  return draft.observed.nodes[node]?.instances[instanceKey(deployment, instance)]
}

/** Has its agent reported it since this controller started? */
export function isHeardOf(draft: Draft, deployment: string, instance: Readonly<InstanceRecord>): boolean {
  return instance.node === '' || observationOf(draft, deployment, instance) !== undefined
}

/** Has its agent reported this start of it ready, although the table may not have it yet? */
export function isSeenReady(draft: Draft, deployment: string, instance: Readonly<InstanceRecord>): boolean {
  const seen = observationOf(draft, deployment, instance)
  return seen?.state === 'ready' && seen.incarnation === instance.incarnation
}

/** Has its agent said that the process was started with its spec, or told of it? What is not ours needs no telling. */
export function isTold(draft: Draft, role: Readonly<RoleRecord>, instance: Readonly<InstanceRecord>): boolean {
  if (instance.node === '' || specOf(role, instance.spec).definition.settingsReload === undefined) return true
  return observationOf(draft, role.deployment, instance)?.spec === instance.spec
}

/** Serving: chosen from, or kept aside by an operator although it could be. */
export function isReady({ stage, published }: Readonly<ProcessRecord>): boolean {
  return stage === 'serving' && (published?.membership === 'in' || published?.membership === 'aside')
}

/**
 * Nothing is gained by waiting for it any longer: it was ready once (what becomes of it then is for gates and floors to
 * judge), or is known not to become so.
 */
export function hasCome({ stage, hopeless }: Readonly<ProcessRecord>): boolean {
  return stage === 'serving' || hopeless
}

/**
 * Not there at all, or only as what it was to take the place of: given up by its agent, or up beside that and not answering
 * its probe.
 */
export function failedToCome(draft: Draft, deployment: string, instance: Readonly<InstanceRecord>): boolean {
  const { stage, hopeless, beside, incarnation } = instance
  if (stage === 'starting') return hopeless
  if (stage !== 'serving' || beside === undefined || beside.next !== null) return false
  const seen = observationOf(draft, deployment, instance)
  return hopeless || (seen?.state === 'unresponsive' && seen.incarnation === incarnation)
}
