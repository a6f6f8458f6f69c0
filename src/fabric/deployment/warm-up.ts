import type { ErrorCode } from '../../core/errors.ts'
import type { Draft } from '../draft.ts'
import { specOf } from '../instances.ts'
import { isReady } from '../seen.ts'
import type { OperationRecord, SwapProgress } from '../operation-record.ts'
import type { ServiceRecord } from '../state.ts'
import { targetKey } from '../keys.ts'
import { beginTask, tasksOf } from '../tasks.ts'

type Warmth =
  | { readonly kind: 'go' }
  | { readonly kind: 'wait' }
  | { readonly kind: 'fail'; readonly fault: { readonly code: ErrorCode; readonly message: string } }

const NAME = 'warm/'

/** All that was restarted is up again, and every ready instance answered its `warmUp` requests as the process it is now. */
export function warmed(
  draft: Draft,
  operation: OperationRecord & { readonly swap: SwapProgress },
  service: Readonly<ServiceRecord>,
): Warmth {
  const candidate = service.slots.staging
  if (candidate === null) return { kind: 'go' }
  let waiting = false
  const tasks = tasksOf(draft, operation.id)
  const before = new Set(operation.swap.phase === 'commit' ? service.prepared?.warmed : [])
  for (const role of draft.rolesOf(candidate)) {
    for (const instance of role.instances) {
      if (instance.next === 'remove') continue
      if (!isReady(instance)) {
        if (operation.swap.walk === null) continue
        if (instance.hopeless) {
          const message = `${instance.id} of ${candidate} did not start with production's settings (\`vipswap logs ${instance.id} --slot staging\`)`
          return { kind: 'fail', fault: { code: 'start_failed', message } }
        }
        waiting = true
        continue
      }
      const { warmUp = [] } = specOf(role, instance.spec).definition
      if (warmUp.length === 0 || instance.published === null) continue
      const { host, ports } = instance.published
      const key = targetKey(candidate, instance)
      if (before.has(key)) continue
      const task = tasks.get(`${NAME}${key}`)
      if (task?.outcome?.ok === false) {
        const message = `${instance.id} of ${candidate}: ${task.outcome.detail}`
        return { kind: 'fail', fault: { code: 'warm_up_failed', message } }
      }
      waiting ||= task?.outcome == null
      if (task !== undefined) continue
      const authority = host.includes(':') ? `[${host}]` : host
      beginTask(draft, {
        operation: operation.id,
        service: service.name,
        deployment: candidate,
        name: `${NAME}${key}`,
        owner: 'operation',
        work: {
          kind: 'warm',
          instance: instance.id,
          requests: warmUp.map(({ endpoint, path, accept, timeoutMs }) => ({
            url: `http://${authority}:${ports[endpoint] ?? 0}${path}`,
            host: service.hostNames.production,
            accept,
            timeoutMs,
          })),
        },
      })
    }
  }
  return waiting ? { kind: 'wait' } : { kind: 'go' }
}

/** Processes (`targetKey`) that an operation has warmed. */
export function warmedUnder(draft: Draft, operation: string): string[] {
  return [...draft.tasks.values()]
    .filter(task => task.operation === operation && task.name.startsWith(NAME) && task.outcome?.ok === true)
    .map(({ name }) => name.slice(NAME.length))
}
