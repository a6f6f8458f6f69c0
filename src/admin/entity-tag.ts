import { createHash } from 'node:crypto'
import type { DeploymentView } from '../contracts/api/deployment.ts'
import type { OperationView } from '../contracts/api/operation.ts'
import type { ServiceView } from '../contracts/api/service.ts'

// An entity tag here is `"WHAT.ALL"`: a digest of what was decided (deployments, versions, counts, who runs), and one of
// the whole answer. `If-None-Match` compares all of it, so nobody is shown old measurements; `If-Match` compares what was
// decided, else under traffic no tag would hold for long enough to act on it.

export type Tagged =
  | { readonly kind: 'service'; readonly view: ServiceView }
  | { readonly kind: 'deployment'; readonly view: DeploymentView }
  | { readonly kind: 'operation'; readonly view: OperationView }

/** The tag of an answer, quotes included. */
export function entityTag(tagged: Tagged): string {
  return `"${decidedTag(tagged)}.${digest(tagged.view)}"`
}

/** The part of it that says what was decided. */
export function decidedTag(tagged: Tagged): string {
  return digest(decided(tagged))
}

/** `If-None-Match`: the caller has this very answer. Compared weakly, as RFC 9110 section 13.1.2 has it. */
export function isKnown(header: string | undefined, tag: string): boolean {
  return header !== undefined && tagsOf(header).some(each => each === '*' || each.replace(/^W\//, '') === tag)
}

/** `If-Match`: what was decided is as the caller knows it. A weak tag says nothing (RFC 9110 section 13.1.1). */
export function isCurrent(header: string, decidedNow: string | null): boolean {
  return (
    decidedNow !== null &&
    tagsOf(header).some(each => each === '*' || each.slice(0, decidedNow.length + 2) === `"${decidedNow}.`)
  )
}

/** The part of any of the tags that says what was decided. */
export function decidedIn(header: string): string[] {
  return tagsOf(header).map(tag => tag.replace(/^(W\/)?"/, '').replace(/\..*$/, ''))
}

function tagsOf(header: string): string[] {
  return header.match(/\*|(W\/)?"[^"]*"/g) ?? []
}

function decided(tagged: Tagged): unknown {
  switch (tagged.kind) {
    case 'service': {
      const { name, slots, vips, operation } = tagged.view
      const running = operation === null ? null : decidedOperation(operation)
      return [name, decidedDeployment(slots.production), decidedDeployment(slots.staging), vips, running]
    }
    case 'deployment':
      return decidedDeployment(tagged.view)
    case 'operation':
      return decidedOperation(tagged.view)
  }
}

function decidedOperation({ id, status, error }: OperationView): unknown {
  return [id, status, error ?? null]
}

/** What somebody, or a rule on somebody's behalf, has decided on a deployment: nothing that is merely measured. */
function decidedDeployment(deployment: DeploymentView | null): unknown {
  if (deployment === null) return null
  const { id, slot, label, version, status, locked, rollbackAllowed, policy, upgradeStatus: walk } = deployment
  const roles = deployment.roles.map(({ name, version: of, size, instances, certificates }) => [
    name,
    of,
    size,
    instances,
    certificates.map(certificate => certificate.id),
  ])
  const instances = deployment.instances.map(instance => [instance.id, instance.version, instance.drained])
  const upgrade =
    walk === undefined
      ? null
      : [walk.operationId, walk.mode, walk.direction, walk.toVersion, walk.currentUpgradeDomain, walk.failure ?? null]
  return [
    id,
    slot,
    label,
    deployment.package,
    version,
    status,
    locked,
    rollbackAllowed,
    policy,
    upgrade,
    roles,
    instances,
  ]
}

/** 72 bits are plenty: a tag only has to differ from those of the same resource. */
function digest(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('base64url').slice(0, 12)
}
