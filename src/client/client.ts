import type { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { VipswapError } from '../core/errors.ts'
import type { Accepted, OperationView } from '../contracts/api/operation.ts'
import type {
  ChangeUpgradeBody,
  ConfigurationBody,
  CreateBody,
  HealthBody,
  PlanBody,
  RollbackBody,
  StatusBody,
  SwapBody,
  UpgradeBody,
  WalkBody,
} from '../contracts/api/bodies.ts'
import type { DeploymentView } from '../contracts/api/deployment.ts'
import type { ExplainView } from '../contracts/api/explain.ts'
import { TIMELINE_HEADER } from '../contracts/timeline.ts'
import type { EventView, GapView } from '../contracts/api/event.ts'
import type { GcAnswer, PackageAnswer } from '../contracts/api/package.ts'
import type { HealthView } from '../contracts/api/health.ts'
import type { CallerView } from '../contracts/api/caller.ts'
import type { JoinTokenBody, JoinTokenView, MemberView } from '../contracts/api/member.ts'
import type { NodeView } from '../contracts/api/node.ts'
import type { RecoveryAnswer } from '../contracts/api/recovery.ts'
import type { ReceiptView } from '../contracts/api/receipt.ts'
import type { ServiceView } from '../contracts/api/service.ts'
import type { PauseBody } from '../contracts/api/pause.ts'
import type { PlanView } from '../contracts/api/plan.ts'
import type { MarkBody, MarkView, TrafficSeries, TrafficView } from '../contracts/traffic.ts'
import type { Slot } from '../model/slot.ts'
import type { OperationStatus } from '../model/states.ts'
import { followOperation, type FollowOptions } from './follow.ts'
import { readServerSentEvents } from './server-sent-events.ts'
import { createTransport, type Call, type ClientOptions } from './transport.ts'

export type { ClientOptions, ClientTls } from './transport.ts'
export type { FollowOptions } from './follow.ts'

export interface MutationOptions {
  /** The same key makes a retry safe: it answers the operation of the first. */
  readonly idempotencyKey?: string
  /** Refused with `precondition_failed` unless what is changed still has this `ETag` (as a GET of it answered). */
  readonly ifMatch?: string
}

export interface EventOptions {
  /** Only events after this number; default 0, all that is kept. */
  readonly after?: number
  readonly service?: string
  /** Go on with what comes, over restarts of the controller, until `signal`. */
  readonly follow?: boolean
  readonly signal?: AbortSignal
  /** Told where events that were asked for are not kept any more. */
  readonly onGap?: (gap: GapView) => void
}

export type Client = ReturnType<typeof createClient>

const RECONNECT_MS = 500

/**
 * The admin API, one method per call. Mutations resolve as soon as they are accepted; `follow` waits for their end.
 * Every failure is a `VipswapError`: the API's own refusals with their code and details, `unreachable` otherwise.
 */
export function createClient(options: ClientOptions) {
  const transport = createTransport(options)
  // The shapes are the contract's; both ends are built from it, so answers are not checked again.
  const get = async <T>(path: string, signal?: AbortSignal): Promise<T> =>
    (await transport.json({ method: 'GET', path, ...(signal === undefined ? {} : { signal }) })) as T
  const send = async <T>(
    method: Call['method'],
    path: string,
    json: unknown,
    { idempotencyKey, ifMatch }: MutationOptions = {},
  ): Promise<T> =>
    (await transport.json({
      method,
      path,
      ...(json === undefined ? {} : { json }),
      headers: {
        ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
        ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
      },
    })) as T
  const mutate = send<Accepted>

  const operation = async (
    id: string,
    wait: { waitSeconds?: number; signal?: AbortSignal } = {},
  ): Promise<OperationView> =>
    get(`/v1/operations/${encode(id)}${query({ wait: wait.waitSeconds?.toFixed(3) })}`, wait.signal)

  return {
    services: async () => (await get<{ services: readonly ServiceView[] }>('/v1/services')).services,
    service: async (name: string) => get<ServiceView>(`/v1/services/${encode(name)}`),
    deployment: async (service: string, slot: Slot) => get<DeploymentView>(slotPath(service, slot)),
    health: async (service: string, slot: Slot) => get<HealthView>(`${slotPath(service, slot)}/health`),
    reportHealth: async (service: string, slot: Slot, body: HealthBody) =>
      send<HealthView>('POST', `${slotPath(service, slot)}/health`, body),
    nodes: async () => (await get<{ nodes: readonly NodeView[] }>('/v1/nodes')).nodes,
    whoAmI: async () => get<CallerView>('/v1/whoami'),
    members: async () => (await get<{ members: readonly MemberView[] }>('/v1/members')).members,
    makeJoinToken: async (body: JoinTokenBody) => send<JoinTokenView>('POST', '/v1/join-tokens', body),
    removeMember: async (kind: MemberView['kind'], name: string) =>
      (await send<{ removed: MemberView }>('DELETE', `/v1/members/${kind}/${encode(name)}`, undefined)).removed,
    metrics: async () => transport.text({ method: 'GET', path: '/metrics' }),
    recovery: async () => get<RecoveryAnswer>('/v1/recovery'),
    acceptRecovery: async () => send<RecoveryAnswer>('POST', '/v1/recovery/accept', undefined),
    gc: async () => send<GcAnswer>('POST', '/v1/gc', undefined),

    /** Is the controller up and able to serve? An unreachable one is not ready, with the reason. */
    async ready(): Promise<{ ready: boolean; reason: string }> {
      try {
        return await get('/readyz')
      } catch (error) {
        if (!(error instanceof VipswapError)) throw error
        const { reason } = error.details
        return { ready: false, reason: typeof reason === 'string' ? reason : error.message }
      }
    },

    /** `signature`: the text of a .minisig file. */
    uploadPackage: async (body: Readable | Buffer, kind: 'gzip' | 'zip', signature?: string): Promise<PackageAnswer> =>
      (await transport.json({
        method: 'POST',
        path: '/v1/packages',
        upload: { body, type: `application/${kind}` },
        ...(signature === undefined
          ? {}
          : { headers: { 'vipswap-signature': Buffer.from(signature).toString('base64') } }),
      })) as PackageAnswer,

    create: async (service: string, slot: Slot, body: CreateBody, how?: MutationOptions) =>
      mutate('POST', slotPath(service, slot), body, how),
    delete: async (service: string, slot: Slot, how?: MutationOptions) =>
      mutate('DELETE', slotPath(service, slot), undefined, how),
    deleteService: async (service: string, how?: MutationOptions) =>
      mutate('DELETE', `/v1/services/${encode(service)}`, undefined, how),
    swap: async (service: string, body: SwapBody = {}, how?: MutationOptions) =>
      mutate('POST', `/v1/services/${encode(service)}/swap`, body, how),
    upgrade: async (service: string, slot: Slot, body: UpgradeBody, how?: MutationOptions) =>
      mutate('POST', `${slotPath(service, slot)}/upgrade`, body, how),
    changeUpgrade: async (service: string, slot: Slot, body: ChangeUpgradeBody, how?: MutationOptions) =>
      mutate('PATCH', `${slotPath(service, slot)}/upgrade`, body, how),
    walk: async (service: string, slot: Slot, body: WalkBody = {}, how?: MutationOptions) =>
      mutate('POST', `${slotPath(service, slot)}/walk`, body, how),
    rollback: async (service: string, slot: Slot, body: RollbackBody = {}, how?: MutationOptions) =>
      mutate('POST', `${slotPath(service, slot)}/rollback`, body, how),
    configure: async (service: string, slot: Slot, body: ConfigurationBody, how?: MutationOptions) =>
      mutate('POST', `${slotPath(service, slot)}/configuration`, body, how),
    setStatus: async (service: string, slot: Slot, body: StatusBody, how?: MutationOptions) =>
      mutate('POST', `${slotPath(service, slot)}/status`, body, how),
    plan: async (service: string, slot: Slot, body: PlanBody) =>
      send<PlanView>('POST', `${slotPath(service, slot)}/plan`, body),
    /** Restarts an instance (`reboot`), or lays its files out afresh, too (`reimage`). */
    restart: async (kind: 'reboot' | 'reimage', service: string, slot: Slot, instance: string, how?: MutationOptions) =>
      mutate('POST', `${instancePath(service, slot, instance)}/${kind}`, undefined, how),

    /** Takes an instance out of rotation, its process kept, or puts it back. */
    drainInstance: async (
      kind: 'drain' | 'undrain',
      service: string,
      slot: Slot,
      instance: string,
      how?: MutationOptions,
    ) => mutate('POST', `${instancePath(service, slot, instance)}/${kind}`, undefined, how),
    /** A slot's addresses hold arriving requests for a while, or let them go. */
    pause: async (service: string, slot: Slot, body: PauseBody = {}, how?: MutationOptions) =>
      mutate('POST', `${slotPath(service, slot)}/pause`, body, how),
    resume: async (service: string, slot: Slot, how?: MutationOptions) =>
      mutate('POST', `${slotPath(service, slot)}/resume`, undefined, how),
    /** Empties a node, or uses it again. */
    drainNode: async (kind: 'drain' | 'undrain', node: string, how?: MutationOptions) =>
      mutate('POST', `/v1/nodes/${encode(node)}/${kind}`, undefined, how),
    /** An operation in progress goes on without the word of silent peers; its receipt says that the guarantee was waived. */
    force: async (id: string, how?: MutationOptions) =>
      mutate('POST', `/v1/operations/${encode(id)}/force`, undefined, how),

    /** Why an instance is as it is. */
    explain: async (service: string, slot: Slot, instance: string) =>
      get<ExplainView>(`${instancePath(service, slot, instance)}/explain`),
    /** An instance's output, as it comes; ends at the end of what there is, or with `follow` at the signal. */
    async *logs(
      service: string,
      slot: Slot,
      instance: string,
      { follow = false, tail, signal }: { follow?: boolean; tail?: number; signal?: AbortSignal } = {},
    ): AsyncGenerator<string> {
      const path = `${instancePath(service, slot, instance)}/logs${query({ follow: follow ? '1' : undefined, tail })}`
      const { body: stream } = await transport.stream({
        method: 'GET',
        path,
        ...(signal === undefined ? {} : { signal }),
      })
      stream.setEncoding('utf8')
      try {
        for await (const chunk of stream) yield String(chunk)
      } catch (error) {
        if (signal?.aborted !== true) throw new VipswapError('unreachable', 'the log broke off', {}, { cause: error })
      }
    },

    operations: async (filter: { service?: string; status?: OperationStatus; limit?: number } = {}) =>
      (await get<{ operations: readonly OperationView[] }>(`/v1/operations${query(filter)}`)).operations,
    operation,
    receipt: async (id: string) => get<ReceiptView>(`/v1/operations/${encode(id)}/receipt`),
    /** What was counted since a mark, or since the counts begin. */
    traffic: async (service: string, since?: string) => get<TrafficView>(`${trafficPath(service)}${query({ since })}`),
    mark: async (service: string, body: MarkBody = {}) => send<MarkView>('POST', `${trafficPath(service)}/marks`, body),
    marks: async (service: string) =>
      (await get<{ marks: readonly MarkView[] }>(`${trafficPath(service)}/marks`)).marks,
    /** The last seconds, one point each; of those only the ones after number `after`. */
    trafficSeries: async (service: string, window: { seconds?: number; after?: number } = {}) =>
      get<TrafficSeries>(`${trafficPath(service)}/series${query(window)}`),
    /** Waits for the end of an operation; see `followOperation`. */
    follow: async (id: string, how: FollowOptions = {}) =>
      followOperation(id, async (waitSeconds, signal) => operation(id, { waitSeconds, signal }), how),

    /** The timeline, each event once and in order. */
    async *events({ after = 0, service, follow = false, signal, onGap }: EventOptions = {}): AsyncGenerator<EventView> {
      const path = `/v1/events${query({ service, follow: follow ? undefined : '0' })}`
      let last = after
      let opened = false
      let timeline: string | string[] | undefined
      for (;;) {
        const headers = { accept: 'text/event-stream', 'last-event-id': String(last) }
        try {
          const { body: stream, headers: answered } = await transport.stream({
            method: 'GET',
            path,
            headers,
            ...(signal === undefined ? {} : { signal }),
          })
          opened = true
          const found = answered[TIMELINE_HEADER]
          if (timeline !== undefined && found !== timeline) {
            // What was read belongs to a data folder that is gone: this one is read from its beginning.
            timeline = found
            last = 0
            stream.destroy()
            continue
          }
          timeline = found
          for await (const { id, event, data } of readServerSentEvents(stream)) {
            if (event === 'gap') {
              onGap?.(JSON.parse(data) as GapView)
              continue
            }
            yield JSON.parse(data) as EventView
            last = Number(id)
          }
        } catch (error) {
          if (signal?.aborted === true) return
          // Before the first answer there is nothing to resume: a wrong address should say so.
          if (!opened || !follow || (error instanceof VipswapError && error.code !== 'unreachable')) throw error
        }
        if (!follow || signal?.aborted === true) return
        await delay(RECONNECT_MS, null, { signal }).catch(() => undefined)
      }
    },

    close: async () => transport.close(),
  }
}

const encode = encodeURIComponent

function slotPath(service: string, slot: Slot): string {
  return `/v1/services/${encode(service)}/slots/${slot}`
}

function instancePath(service: string, slot: Slot, instance: string): string {
  return `${slotPath(service, slot)}/instances/${encode(instance)}`
}

function trafficPath(service: string): string {
  return `/v1/services/${encode(service)}/traffic`
}

function query(values: Readonly<Record<string, string | number | undefined>>): string {
  const pairs = Object.entries(values).flatMap(([key, value]) =>
    value === undefined ? [] : [`${key}=${encode(value)}`],
  )
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`
}
