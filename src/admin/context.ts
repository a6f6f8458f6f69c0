import type { FastifyBaseLogger, FastifyInstance, FastifyReply, RawServerDefault } from 'fastify'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { Type } from 'typebox'
import { VipswapError } from '../core/errors.ts'
import type { DeploymentView } from '../contracts/api/deployment.ts'
import type { ServiceView } from '../contracts/api/service.ts'
import type { Members } from '../controller/members/members.ts'
import type { ControllerApi } from '../controller/controller-api.ts'
import type { Slot } from '../model/slot.ts'
import type { AuditLog } from './audit/audit-log.ts'
import type { RoadKeys } from './road/keys.ts'

/** What every group of routes gets. */
export interface AdminContext {
  readonly api: ControllerApi
  /** Aborted when the server closes: long answers end then. */
  readonly closing: AbortSignal
  /** Largest package accepted, in bytes as uploaded. */
  readonly maxPackageBytes: number
  /** Time between two comments on an idle event stream, in milliseconds. */
  readonly heartbeatMs: number
  /** null: nothing is recorded. */
  readonly audit: AuditLog | null
  /** null: there are none of other machines. */
  readonly members: Members | null
  /** Of the road to one instance. */
  readonly keys: RoadKeys
}

export type AdminApp = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>

const SlotParam = Type.Union([Type.Literal('production'), Type.Literal('staging')])
export const ServiceParams = Type.Object({ service: Type.String() })
export const SlotParams = Type.Object({ service: Type.String(), slot: SlotParam })
export const InstanceParams = Type.Object({ service: Type.String(), slot: SlotParam, instance: Type.String() })

/** Seconds, as text of a query. */
export const SecondsText = Type.String({ pattern: '^\\d{1,6}(\\.\\d+)?$', description: 'seconds, for example 30' })
export const CountText = Type.String({ pattern: '^\\d{1,15}$', description: 'a whole number' })
export const FlagText = Type.Union([Type.Literal('0'), Type.Literal('1'), Type.Literal('false'), Type.Literal('true')])

export function isOn(flag: '0' | '1' | 'false' | 'true' | undefined): boolean {
  return flag === '1' || flag === 'true'
}

/** The service, or `service_not_found` that names those there are. */
export function findService(api: ControllerApi, name: string): ServiceView {
  const service = api.service(name)
  if (service !== null) return service
  const known = api.services().map(each => each.name)
  const those = known.length === 0 ? 'there are none yet' : `there are: ${known.join(', ')}`
  throw new VipswapError('service_not_found', `there is no service "${name}"; ${those}`, { known })
}

/** The deployment in a slot, or the refusal that says what is missing. */
export function findDeployment(api: ControllerApi, service: string, slot: Slot): DeploymentView {
  findService(api, service)
  const deployment = api.deployment(service, slot)
  if (deployment !== null) return deployment
  throw new VipswapError('deployment_not_found', `slot ${slot} of ${service} is empty`)
}

/** Checks that the slot holds such an instance; `instance_not_found` names those there are. */
export function findInstance(api: ControllerApi, service: string, slot: Slot, id: string): void {
  const known = findDeployment(api, service, slot).instances.map(each => each.id)
  if (known.includes(id)) return
  throw new VipswapError(
    'instance_not_found',
    `there is no instance "${id}" in slot ${slot} of ${service}; there are: ${known.join(', ')}`,
    { known },
  )
}

/** Aborted when the caller leaves before the answer is out, or the server closes. */
export function endOf(response: ServerResponse, closing: AbortSignal): AbortSignal {
  const left = new AbortController()
  response.once('close', () => left.abort())
  return AbortSignal.any([left.signal, closing])
}

/** What was set on an answer that is then written by hand. */
export function headersOf(reply: FastifyReply): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(reply.getHeaders()).filter(([, value]) => value !== undefined))
}
