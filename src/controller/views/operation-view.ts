import type { OperationView } from '../../contracts/api/operation.ts'
import type { ReceiptView } from '../../contracts/api/receipt.ts'
import type { BrokenCause } from '../../contracts/ledger.ts'
import { own } from '../../core/own.ts'
import { signersOf } from './signers.ts'
import { missingAcknowledgements } from '../../fabric/acknowledgements.ts'
import { isReady } from '../../fabric/seen.ts'
import { rolesOf } from '../../fabric/lookup.ts'
import { receiptSoFar } from '../../fabric/receipts.ts'
import { leaves } from '../../fabric/upgrade/roles.ts'
import { processesOf, type FabricState } from '../../fabric/state.ts'
import type { UpgradeRecord } from '../../fabric/upgrade-record.ts'
import type { OperationRecord } from '../../fabric/operation-record.ts'
import { latencyOf } from '../../model/latency.ts'
import { brokenOf, durationsByVersion, type Durations, type LedgerRow } from '../../model/ledger-row.ts'
import { tasksOf } from './task-words.ts'

/** An operation with its progress in words and percent. */
export function viewOperation(state: FabricState, operation: OperationRecord): OperationView {
  const deployment = operation.deployments[0]
  return {
    id: operation.id,
    kind: operation.kind,
    service: operation.service,
    ...(operation.slot === null ? {} : { slot: operation.slot }),
    ...(operation.node === undefined ? {} : { node: operation.node }),
    ...(deployment === undefined ? {} : { deployment }),
    status: operation.status,
    by: operation.by,
    startedAt: iso(operation.startedAt),
    ...(operation.endedAt === null ? {} : { endedAt: iso(operation.endedAt) }),
    progress: progressOf(state, operation),
    ...(operation.error === null ? {} : { error: operation.error }),
  }
}

function iso(wall: number): string {
  return new Date(wall).toISOString()
}

function progressOf(state: FabricState, operation: OperationRecord): OperationView['progress'] {
  const progress = stepOf(state, operation)
  const lost = operation.status === 'InProgress' ? lostNodes(state, operation) : []
  if (lost.length === 0) return progress
  return {
    ...progress,
    message: `${progress.message}; ${lost.join(', ')} not connected, and planned work waits for it (\`vipswap force ${operation.id}\` does not)`,
  }
}

/** Nodes that hold instances of the operation and have no agent connected. */
function lostNodes(state: FabricState, operation: OperationRecord): string[] {
  const nodes = operation.deployments.flatMap(id =>
    rolesOf(state, id).flatMap(role => role.instances.map(({ node }) => node)),
  )
  return [...new Set(nodes)].filter(node => node !== '' && state.observed.nodes[node]?.online !== true).toSorted()
}

function stepOf(state: FabricState, operation: OperationRecord): OperationView['progress'] {
  if (operation.status !== 'InProgress') {
    const done = operation.status === 'Succeeded' ? 100 : 0
    return { step: 'ended', percent: done, message: operation.error?.message ?? 'done' }
  }
  const upgrade = upgradeOf(state, operation)
  if (upgrade !== null) return walkProgress(state, operation, upgrade)
  if (operation.node !== undefined) return nodeProgress(state, operation.node)
  const instances = operation.deployments.flatMap(id => rolesOf(state, id).flatMap(role => role.instances))
  const ready = instances.filter(isReady).length
  switch (operation.step) {
    case 'binding':
      return { step: 'binding', percent: 5, message: bindingProgress(state, operation) }
    case 'fetching':
      return { step: 'fetching', percent: 15, message: 'the package on every node' }
    case 'starting':
    case 'scaling':
    case 'restarting':
      return {
        step: operation.step,
        percent: 20 + Math.round((70 * ready) / Math.max(1, instances.length)),
        message: `${ready} of ${instances.length} instances ready`,
      }
    case 'draining':
    case 'removing': {
      const left = instances.filter(instance => instance.next !== null).length
      return { step: operation.step, percent: 30, message: `${left} instances to finish and stop` }
    }
    case 'publishing': {
      const missing = missingAcknowledgements(state, operation.since)
      if (missing.length === 0) return { step: 'publishing', percent: 95, message: 'the last table is being published' }
      const silent = missing.filter(incarnation => state.observed.proxies[incarnation]?.online !== true)
      const force = `; of ${silent.join(', ')} nothing is heard: \`vipswap force ${operation.id}\` goes on without`
      const message = `proxy ${missing.join(', ')} to acknowledge the table${silent.length === 0 ? '' : force}`
      return { step: 'publishing', percent: 95, message }
    }
    case 'settings':
      return {
        step: 'settings',
        percent: 10,
        message: `walk ${operation.swap?.walk ?? ''} of the settings of the slot`,
      }
    case 'warming':
    case 'pre-swap':
    case 'probing':
    case 'verifying':
    case 'post-swap': {
      const percent = { warming: 50, 'pre-swap': 60, probing: 70, verifying: 97, 'post-swap': 99 }[operation.step]
      return { step: operation.step, percent, message: tasksOf(state, operation.id) || `${ready} instances ready` }
    }
    default:
      return { step: operation.step, percent: 50, message: operation.step }
  }
}

function bindingProgress(state: FabricState, { id, since }: OperationRecord): string {
  const missing = missingAcknowledgements(state, since)
  return missing.length === 0
    ? 'a proxy to listen on the addresses'
    : `proxy ${missing.join(', ')} to listen on the addresses (\`vipswap force ${id}\` goes on without those that are silent)`
}

function nodeProgress(state: FabricState, node: string): OperationView['progress'] {
  const left = Object.values(state.roles).flatMap(role =>
    role.instances
      .flatMap(processesOf)
      .filter(process => process.node === node)
      .map(() => role.deployment),
  )
  const walked = [...new Set(left)].filter(id => state.deployments[id]?.upgrade != null)
  const after = walked.length === 0 ? '' : `, those of ${walked.join(', ')} with its upgrade or after it`
  return { step: 'leaving', percent: 50, message: `${left.length} instances to leave node ${node}${after}` }
}

function upgradeOf(state: FabricState, operation: OperationRecord): UpgradeRecord | null {
  const upgrade = state.deployments[operation.deployments[0] ?? '']?.upgrade ?? null
  return upgrade?.operation === operation.id || upgrade?.walk === operation.id ? upgrade : null
}

function walkProgress(
  state: FabricState,
  operation: OperationRecord,
  upgrade: UpgradeRecord,
): OperationView['progress'] {
  const deployment = operation.deployments[0] ?? ''
  const shown = operation.domain === null ? upgrade.domains : [operation.domain]
  const domains = shown.map(domain => {
    const here = rolesOf(state, deployment).flatMap(role => {
      const change = own(upgrade.roles, role.name)
      const fresh = upgrade.direction === 'forward' && upgrade.added.includes(role.name)
      const target = fresh ? role.target : upgrade.direction === 'forward' ? change?.to : change?.from
      return role.instances
        .filter(instance => target !== undefined && instance.upgradeDomain === domain)
        .filter(instance => !leaves(upgrade, role.name, instance))
        .map(instance => instance.spec === target && isReady(instance))
    })
    return { domain, done: here.filter(Boolean).length, total: here.length }
  })
  const total = domains.reduce((sum, domain) => sum + domain.total, 0)
  const done = domains.reduce((sum, domain) => sum + domain.done, 0)
  const current = upgrade.domains[upgrade.position]
  const tasks = tasksOf(state, upgrade.operation)
  return {
    step: upgrade.phase,
    percent: total === 0 ? 0 : Math.round((100 * done) / total),
    message:
      current === undefined
        ? upgrade.phase
        : `domain ${current}: ${upgrade.phase}, ${done} of ${total} instances there${tasks === '' ? '' : `; ${tasks}`}`,
    domains,
  }
}

/** What an operation did to the traffic; for one in progress, so far. */
export function viewReceipt(state: FabricState, operation: OperationRecord): ReceiptView {
  const receipt = receiptSoFar(state, operation)
  const sum = (of: (row: (typeof receipt.traffic)[number]) => number): number =>
    receipt.traffic.reduce((total, row) => total + of(row), 0)
  const brokenBy: Partial<Record<BrokenCause, number>> = {}
  for (const row of receipt.traffic) {
    for (const [cause, count] of Object.entries(row.broken) as [BrokenCause, number][]) {
      // keys of a Record of that union
      brokenBy[cause] = (brokenBy[cause] ?? 0) + count
    }
  }
  return {
    operation: viewOperation(state, operation),
    by: operation.by,
    ...signersOf(operation),
    from: operation.from,
    to: operation.to,
    complete: receipt.complete,
    note: receipt.note,
    remarks: operation.remarks,
    ...(operation.failure === undefined ? {} : { failure: { ...operation.failure, at: iso(operation.failure.at) } }),
    traffic: receipt.traffic,
    totals: {
      arrived: sum(row => row.arrived),
      answered: sum(row => row.answered),
      refused: sum(row => row.refused),
      clientGone: sum(row => row.clientGone),
      held: sum(row => row.held),
      heldMaxMs: receipt.traffic.reduce((max, row) => Math.max(max, row.heldMaxMs), 0),
      replayed: sum(row => row.replayed),
      open: sum(row => row.open),
      broken: sum(brokenOf),
      brokenBy,
    },
    domains: receipt.domains.map(({ domain, startedAt, arrivedAt, endedAt, instances }) => ({
      domain,
      startedAt: iso(startedAt),
      arrivedAt: arrivedAt === undefined ? null : iso(arrivedAt),
      endedAt: endedAt === null ? null : iso(endedAt),
      instances,
    })),
    latency: latencyAround(operation, receipt.traffic, own(state.aftermaths, operation.id)?.durations ?? null),
    drained:
      operation.drained === undefined
        ? null
        : { connections: operation.drained, tunnels: sum(({ answers }) => answers?.statuses[0] ?? 0) },
    switchMs: receipt.switchMs,
  }
}

function latencyAround(
  { before }: OperationRecord,
  traffic: readonly LedgerRow[],
  after: Readonly<Record<string, Durations>> | null,
): ReceiptView['latency'] {
  const view = (durations: Readonly<Record<string, Durations>>) =>
    Object.fromEntries(Object.entries(durations).map(([version, each]) => [version, latencyOf(each)]))
  return {
    before: view(before ?? {}),
    during: view(durationsByVersion(traffic)),
    after: after === null ? null : view(after),
  }
}
