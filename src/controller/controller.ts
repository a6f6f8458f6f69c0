import type { Clock } from '../core/clock.ts'
import { VipswapError } from '../core/errors.ts'
import { own } from '../core/own.ts'
import type { HealthView } from '../contracts/api/health.ts'
import type { OperationView } from '../contracts/api/operation.ts'
import { rehearse } from '../fabric/apply.ts'
import type { FabricState, InstanceRecord, RoleRecord } from '../fabric/state.ts'
import { instanceKey } from '../fabric/keys.ts'
import { isHeld } from '../fabric/recovery.ts'
import { rolesOf } from '../fabric/lookup.ts'
import { specOf } from '../fabric/instances.ts'
import type { Refusal } from '../fabric/refusal.ts'
import type { Command } from '../contracts/command.ts'
import { SLOTS, type Slot } from '../model/slot.ts'
import type { PackageStore } from '../packages/package-store.ts'
import type { ControllerApi, EventFeed, LogOptions, OperationFilter } from './controller-api.ts'
import type { Peers } from './links/peers.ts'
import { createControllerMetrics } from './metrics/metrics.ts'
import { createPackageShelf } from './package-shelf.ts'
import { planOf } from './plan.ts'
import { readerOf, type Reader } from './reader.ts'
import type { Reconciler } from './reconciler.ts'
import type { PackageTrust } from './package-trust.ts'
import { resumeAfter } from './resume-after.ts'
import type { Secrets } from './secrets.ts'
import { textQueue } from './text-queue.ts'
import type { Traffic } from './traffic/traffic.ts'
import { viewRecovery } from './views/recovery-view.ts'
import { viewHealth } from './views/health-view.ts'
import { viewOperation, viewReceipt } from './views/operation-view.ts'
import { viewEvent, viewNode, viewService } from './views/service-view.ts'

interface Parts {
  reconciler: Reconciler
  peers: Peers
  packages: PackageStore
  clock: Clock
  traffic: Traffic
  secrets: Secrets
  trust: PackageTrust
  /** Releases kept besides those in use. */
  keepPackages: number
}

/** The controller's verbs, over the reconciler and what is connected to it. */
export function createController(parts: Parts): ControllerApi {
  const { reconciler, peers, packages, clock, traffic, secrets, trust, keepPackages } = parts
  const shelf = createPackageShelf({ reconciler, packages, trust, keep: keepPackages })
  const metrics = createControllerMetrics({
    state: () => reconciler.state,
    planes: () => peers.readings,
    agents: () => peers.agentReadings,
    clock,
    follow: (onState, onEvent) => {
      reconciler.on('state', onState)
      reconciler.on('event', onEvent)
    },
  })
  const now = (): FabricState => reconciler.state
  const read = (): Reader => readerOf(now(), clock.now())

  const health = (service: string, slot: Slot): HealthView | null => {
    const deployment = now().deployments[own(now().services, service)?.slots[slot] ?? '']
    return deployment === undefined ? null : viewHealth(now(), deployment, clock.now())
  }

  return {
    services: () => Object.values(now().services).map(service => viewService(now(), service, clock.now())),
    service: name => read().service(name),
    deployment: (service, slot) => read().deployment(service, slot),
    health,
    reportHealth: async report => {
      const { refusal } = await reconciler.settle(report)
      if (refusal !== null) throw new VipswapError(refusal.code, refusal.message, { blockers: refusal.blockers })
      const answer = health(report.service, report.slot)
      if (answer === null) throw new VipswapError('slot_empty', `the ${report.slot} slot has been emptied meanwhile`)
      return answer
    },
    operations: filter => listOperations(now(), filter),
    operation: id => read().operation(id),
    receipt: id => {
      const operation = own(now().operations, id)
      return operation === undefined || operation.status === 'InProgress' ? null : viewReceipt(now(), operation)
    },
    nodes: () =>
      Object.values(now().nodes)
        .toSorted((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }))
        .map(node => viewNode(now(), node)),
    ready: () => {
      if (reconciler.broken !== null) return { ready: false, reason: reconciler.broken.message }
      const { proxies, agents } = peers.connected
      if (proxies === 0) return { ready: false, reason: 'no proxy is connected' }
      if (agents === 0) return { ready: false, reason: 'no agent is connected' }
      const connected = `${proxies} proxy and ${agents} agents connected`
      if (!isHeld(now())) return { ready: true, reason: connected }
      return { ready: true, reason: `${connected}; the journal was put back and waits for "vipswap recovery --accept"` }
    },
    recovery: () => viewRecovery(now()),
    acceptRecovery: async () => {
      const { refusal } = await reconciler.settle({ kind: 'recovery-accepted' })
      if (refusal !== null) throw new VipswapError(refusal.code, refusal.message)
      return viewRecovery(now())
    },
    addPackage: shelf.add,
    submit: async (command, { idempotencyKey = null, certificates = [], by = null, check }) => ({
      operationId: await reconciler.submit(secrets.seal(now(), command), {
        idempotencyKey,
        certificates,
        by,
        check: state => {
          trust.check(state, command)
          check?.(readerOf(state, clock.now()))
        },
      }),
    }),
    plan: async (asked, certificates) => {
      const moment = clock.now()
      const command = secrets.seal(now(), asked)
      const outcome = refusalOf(trust, now(), command) ?? rehearse(now(), command, moment, certificates)
      return planOf(now(), command, outcome, moment)
    },
    waitOperation: (id, timeoutMs, signal) => waitOperation(reconciler, id, timeoutMs, signal),
    changed: signal => changed(reconciler, signal),
    events: after => eventsAfter(reconciler, after),
    logs: (service, slot, instance, options) => readLogs(now(), peers, { service, slot, instance }, options),
    instanceAddress: (service, slot, instance, endpoint) => {
      const found = findInstance(now(), service, slot, instance)
      if (found?.instance.published == null) return null
      const { host, ports } = found.instance.published
      const first = specOf(found.role, found.instance.spec).definition.endpoints[0]?.name
      const port = ports[endpoint ?? first ?? '']
      return port === undefined ? null : { host, port }
    },
    traffic: async (service, since) => traffic.view(service, since),
    mark: async (service, label) => traffic.mark(service, label),
    marks: service => traffic.marks(service),
    trafficSeries: (service, seconds, after) => traffic.series(service, seconds, after),
    metrics: () => metrics.metrics(),
    gc: shelf.collect,
  }
}

/** What the rules are not asked about: may the package be run at all? */
function refusalOf(trust: PackageTrust, state: FabricState, command: Command): { refusal: Refusal } | null {
  try {
    trust.check(state, command)
    return null
  } catch (error) {
    if (!(error instanceof VipswapError)) throw error
    const { code, message } = error
    return { refusal: { code, message, blockers: [{ code, message }] } }
  }
}

function listOperations(state: FabricState, { service, status, limit }: OperationFilter): OperationView[] {
  return Object.values(state.operations)
    .filter(operation => service === undefined || operation.service === service)
    .filter(operation => status === undefined || operation.status === status)
    .toSorted((a, b) => Number(b.id.slice(3)) - Number(a.id.slice(3)))
    .slice(0, limit ?? 100)
    .map(operation => viewOperation(state, operation))
}

async function waitOperation(
  reconciler: Reconciler,
  id: string,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<OperationView> {
  const current = (): OperationView => {
    const operation = own(reconciler.state.operations, id)
    if (operation === undefined) throw new VipswapError('operation_not_found', `there is no operation "${id}"`)
    return viewOperation(reconciler.state, operation)
  }
  if (current().status !== 'InProgress' || timeoutMs <= 0) return current()
  await new Promise<void>(resolve => {
    const finish = (): void => {
      clearTimeout(timer)
      reconciler.off('state', look)
      signal?.removeEventListener('abort', finish)
      resolve()
    }
    const look = (): void => {
      if (reconciler.state.operations[id]?.status !== 'InProgress') finish()
    }
    const timer = setTimeout(finish, timeoutMs)
    reconciler.on('state', look)
    signal?.addEventListener('abort', finish)
  })
  return current()
}

async function changed(reconciler: Reconciler, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  const { n } = reconciler.state.fabric.revision
  await new Promise<void>(resolve => {
    const finish = (): void => {
      reconciler.off('state', look)
      signal.removeEventListener('abort', finish)
      resolve()
    }
    const look = (state: FabricState): void => {
      if (state.fabric.revision.n !== n) finish()
    }
    reconciler.on('state', look)
    signal.addEventListener('abort', finish)
  })
}

function eventsAfter(reconciler: Reconciler, after: number): EventFeed {
  const { id, nextEvent } = reconciler.state.fabric
  const { missed, history } = resumeAfter(reconciler.events, nextEvent, after)
  return {
    timeline: id,
    missed,
    history: history.map(viewEvent),
    subscribe: listener => {
      const forward = (event: Parameters<typeof viewEvent>[0]): void => listener(viewEvent(event))
      reconciler.on('event', forward)
      return () => reconciler.off('event', forward)
    },
  }
}

function findInstance(
  state: FabricState,
  service: string,
  slot: Slot,
  id: string,
): { role: RoleRecord; instance: InstanceRecord } | null {
  const deployment = own(state.services, service)?.slots[slot] ?? ''
  for (const role of rolesOf(state, deployment)) {
    const instance = role.instances.find(candidate => candidate.id === id)
    if (instance !== undefined) return { role, instance }
  }
  return null
}

function readLogs(
  state: FabricState,
  peers: Peers,
  about: { service: string; slot: Slot; instance: string },
  { tail, follow, signal }: LogOptions,
): AsyncIterable<string> {
  const found = findInstance(state, about.service, about.slot, about.instance)
  if (found === null) {
    const known = SLOTS.flatMap(slot =>
      rolesOf(state, own(state.services, about.service)?.slots[slot] ?? '').flatMap(role =>
        role.instances.map(({ id }) => `${id} (${slot})`),
      ),
    )
    throw new VipswapError(
      'instance_not_found',
      `there is no instance "${about.instance}" in ${about.slot}; there are ${known.join(', ') || 'none'}`,
    )
  }
  const { role, instance } = found
  if (instance.node === '')
    throw new VipswapError('not_found', `${instance.id} fronts what already runs: what it writes is not kept here`)
  const { sink, texts } = textQueue(signal)
  const cancel = peers.readLog(instance.node, instanceKey(role.deployment, instance), { tail, follow }, sink)
  if (cancel === null) throw new VipswapError('unreachable', `node ${instance.node} of ${instance.id} is not connected`)
  signal.addEventListener('abort', cancel)
  return texts
}
