import type { Revision } from '../contracts/revision.ts'
import { allAcknowledged } from './acknowledgements.ts'
import type { Draft } from './draft.ts'
import { proxyExited } from './observe.ts'
import { refuse } from './refusal.ts'
import { processesOf, type FabricState, type ProcessRecord } from './state.ts'
import type { ObservedNode } from './observed.ts'
import { instanceKey } from './keys.ts'

/** How the journal was put back after damage, as the store tells it. */
export interface RecoveryNote {
  readonly at: number
  readonly found: string
  readonly aside: string
  readonly snapshot: { readonly sequence: number; readonly takenAt: number }
  readonly sequence: number
  /** Acknowledged commits that are not there any more; `to` null: nobody knows how many. */
  readonly lost: { readonly from: number; readonly to: number | null } | null
}

/**
 * A fabric whose journal went back in time. Its proxies and agents are ahead of it, and what they do is right: it tells them
 * nothing (`held`) until an operator has accepted what was lost. Then proxies get its table first (`publishing`); once each
 * has acknowledged it, each node its assignment, after what runs there was compared with what is recorded (`comparing`).
 */
export interface RecoveryRecord extends RecoveryNote {
  readonly state: 'held' | 'publishing' | 'comparing'
  /** Of the acceptance. */
  readonly since: Revision
  /** Nodes that have been compared. */
  readonly compared: readonly string[]
}

/** Names and numbers that lost commits may have given are not given again: a silent node may still run what has them. */
const PER_COMMIT = 10
const LEAST_GAP = 100
const UNKNOWN_GAP = 100_000
/** Events are pruned by their number: a large gap would keep old ones for ever. */
const EVENT_GAP = 1000

type Has = { readonly fabric: { readonly recovery?: RecoveryRecord | null } }

/** May anything be decided or told? */
export function isHeld({ fabric }: Has): boolean {
  return fabric.recovery?.state === 'held'
}

/** May this node be told what it is to run? */
export function mayAssign({ fabric }: Has, node: string): boolean {
  const recovery = fabric.recovery ?? null
  return recovery === null || (recovery.state === 'comparing' && recovery.compared.includes(node))
}

/** The journal was put back: where nothing was lost it is only told, else everything is held. */
export function takeRecovery(draft: Draft, note: RecoveryNote): void {
  const { lost, snapshot, aside, found } = note
  const from = `put back from the snapshot of commit ${snapshot.sequence}, the damaged pieces are in ${aside}`
  draft.event('journal-recovered', `the journal was damaged (${found}) and was ${from}; ${wordsOf(lost)}`)
  if (lost === null) return
  const { fabric } = draft
  const gap = lost.to === null ? UNKNOWN_GAP : LEAST_GAP + PER_COMMIT * (lost.to - lost.from + 1)
  fabric.nextDeployment += gap
  fabric.nextOperation += gap
  fabric.nextTask = (fabric.nextTask ?? 1) + gap
  fabric.nextEvent += Math.min(gap, EVENT_GAP)
  fabric.recovery = { ...note, state: 'held', since: draft.revision, compared: [] }
}

/** What is lost, in words. */
export function wordsOf(lost: RecoveryNote['lost']): string {
  if (lost === null) return 'nothing acknowledged was lost'
  if (lost.to === null) return `what was acknowledged after commit ${lost.from - 1} is lost; nothing tells how much`
  return `${lost.to - lost.from + 1} acknowledged commits are lost, ${lost.from} to ${lost.to}`
}

/** An operator takes the world as the snapshot has it. */
export function acceptRecovery(draft: Draft): void {
  const recovery = draft.fabric.recovery ?? null
  if (recovery?.state !== 'held') refuse('nothing_to_do', 'nothing waits to be accepted: the journal is whole')
  draft.fabric.recovery = { ...recovery, state: 'publishing', since: draft.revision }
  draft.event('recovery-accepted', `going on with the fabric as of commit ${recovery.sequence}`)
}

/** Refuses what would change a world that is held. */
export function refuseWhileHeld(draft: Draft): void {
  const recovery = draft.fabric.recovery ?? null
  if (recovery?.state !== 'held') return
  refuse(
    'recovery_pending',
    `the journal was put back to commit ${recovery.sequence} (${wordsOf(recovery.lost)}): what runs goes on as it was, and ` +
      'nothing is changed until "vipswap recovery --accept"; "vipswap recovery" says what that would do',
  )
}

/**
 * Lives that a proxy does not name any more were reported gone before, in a commit that was lost; one that lives after all
 * says so itself.
 */
export function forgetUnnamed(
  draft: Draft,
  hello: {
    readonly id: string
    readonly incarnation: string
    readonly predecessors: readonly { incarnation: string }[]
  },
): void {
  for (const { id, incarnation } of draft.proxies.values()) {
    if (id !== hello.id || incarnation === hello.incarnation || draft.observed.proxies[incarnation]?.online === true)
      continue
    if (hello.predecessors.every(named => named.incarnation !== incarnation)) proxyExited(draft, incarnation)
  }
}

/** Compares nodes that have reported and lets them be told; ends the recovery when all have been. */
export function advanceRecovery(draft: Draft): void {
  const recovery = draft.fabric.recovery ?? null
  if (recovery === null || recovery.state === 'held') return
  const nodes = [...draft.nodes.values()].map(({ name }) => name)
  const fresh = nodes.filter(name => !recovery.compared.includes(name) && draft.observed.nodes[name]?.reported === true)
  for (const name of fresh) compareNode(draft, name)
  const compared = [...recovery.compared, ...fresh]
  const reached = recovery.state === 'comparing' || allAcknowledged(draft, recovery.since)
  const isOver = reached && nodes.every(name => compared.includes(name) || draft.nodes.get(name)?.lost === true)
  if (isOver) {
    draft.fabric.recovery = null
    draft.event('recovery-over', 'every proxy and every node has been told how the fabric is now')
  } else if (fresh.length > 0 || (reached && recovery.state === 'publishing')) {
    draft.fabric.recovery = { ...recovery, state: reached ? 'comparing' : 'publishing', compared }
  }
}

/**
 * What runs on a node serves on, also where a lost change started it: a later incarnation than is recorded is taken over
 * as it is, with its addresses. What does not run there is out of the table until it does.
 */
function compareNode(draft: Draft, name: string): void {
  const node = draft.observed.nodes[name]
  if (node === undefined) return
  for (const key of draft.roles.keys()) {
    const seen = draft.roles.get(key)
    if (seen === undefined || !seen.instances.flatMap(processesOf).some(process => process.node === name)) continue
    const role = draft.roles.edit(key)
    if (role === undefined) continue
    for (const instance of role.instances) {
      for (const process of instance.beside === undefined ? [instance] : [instance, instance.beside]) {
        if (process.node === name) compareProcess(draft, role.deployment, process, node)
      }
      // One that a lost change removed may have had a higher one.
      role.removedIncarnation = Math.max(
        role.removedIncarnation,
        ...incarnationsOf(node, `${role.deployment}/${role.name}_IN_`),
      )
    }
  }
}

function compareProcess(draft: Draft, deployment: string, process: ProcessRecord, node: ObservedNode): void {
  const seen = node.instances[instanceKey(deployment, process)]
  if (seen === undefined) {
    process.published = null
    return
  }
  if (seen.incarnation <= process.incarnation) return
  process.incarnation = seen.incarnation
  process.published = null
  draft.event(
    'recovery-kept',
    `${process.id} runs version ${seen.version} as a change left it that was lost; it serves on. ` +
      '"vipswap reimage" starts it as it is recorded',
    { deployment, instance: process.id },
  )
}

function incarnationsOf({ instances }: ObservedNode, prefix: string): number[] {
  return Object.values(instances).flatMap(({ key, incarnation }) => (key.startsWith(prefix) ? [incarnation] : [0]))
}

/** What accepting would do to what runs now, as far as nodes have reported; each as `deployment/instance`. */
export interface Consequences {
  /** Nobody would know them any more: they are stopped and their folders removed. */
  readonly stops: readonly string[]
  /** A lost change started them: they serve on as they are. */
  readonly keeps: readonly string[]
  /** Recorded as running, and not there: they are started. */
  readonly starts: readonly string[]
  /** Nodes that have not reported; they are compared when they do. */
  readonly silentNodes: readonly string[]
}

export function consequencesOf(state: FabricState): Consequences {
  const recorded = new Map<string, ProcessRecord>()
  for (const { deployment, instances } of Object.values(state.roles))
    for (const process of instances.flatMap(processesOf)) recorded.set(instanceKey(deployment, process), process)
  const silentNodes = Object.keys(state.nodes).filter(name => state.observed.nodes[name]?.reported !== true)
  const seen = Object.values(state.observed.nodes).flatMap(({ instances }) => Object.values(instances))
  const here = new Set(seen.map(({ key }) => key))
  return {
    stops: seen.filter(({ key, state: now }) => !recorded.has(key) && now !== 'stopped').map(({ key }) => key),
    keeps: seen
      .filter(({ key, incarnation }) => incarnation > (recorded.get(key)?.incarnation ?? incarnation))
      .map(({ key }) => key),
    starts: [...recorded]
      .filter(
        ([key, { node, stage }]) => !here.has(key) && node !== '' && stage === 'serving' && !silentNodes.includes(node),
      )
      .map(([key]) => key),
    silentNodes,
  }
}
