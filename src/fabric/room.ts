import { own } from '../core/own.ts'
import { shareOfPorts } from './ports.ts'
import type { Draft } from './draft.ts'
import type { Blocker } from './refusal.ts'
import { comesBeside } from './beside.ts'
import { processesOf, type NodeRecord, type ProcessRecord, type RoleRecord } from './state.ts'

/** What processes take of a node. Only roles that name a size take cores and memory: of the others nothing is known. */
export interface Need {
  cores: number
  memoryBytes: number
  ports: number
}

export type Needs = ReadonlyMap<string, Readonly<Need>>

/**
 * What each node must have for all that is there and all that running upgrades will bring: of both ends of a walk the larger
 * one, so that the way back is free, and room for the largest domain's processes that stand beside others. So a walk that
 * was accepted holds its ground against whatever comes after it.
 */
export function needsOf(draft: Draft): Map<string, Need> {
  const needs = new Map<string, Need>()
  const beside = new Map<string, Map<string, Need>>()
  for (const role of draft.roles.values()) {
    const ends = own(draft.deployments.get(role.deployment)?.upgrade?.roles ?? {}, role.name)
    for (const instance of role.instances) {
      for (const process of processesOf(instance)) {
        const specs = [
          process.spec,
          process.nextSpec ?? process.spec,
          ...(ends === undefined ? [] : [ends.from, ends.to]),
        ]
        add(needs, process.node, largest(specs.map(spec => needOf(draft, role, spec))))
      }
      if (ends === undefined || !comesBeside(role, instance, ends.to)) continue
      const domain = `${role.deployment}/${instance.upgradeDomain}`
      const here = beside.get(instance.node) ?? new Map<string, Need>()
      add(here, domain, needOf(draft, role, ends.to))
      beside.set(instance.node, here)
    }
  }
  for (const [node, domains] of beside) add(needs, node, largest([...domains.values()]))
  return needs
}

/** One more instance of a role, on its target spec, has its place on a node. */
export function addToNeeds(draft: Draft, needs: Map<string, Need>, role: Readonly<RoleRecord>, node: string): void {
  add(needs, node, needOf(draft, role, role.target))
}

/** Nodes that would have to hold more than they have, by more than `before`. */
export function roomBlockers(draft: Draft, before: Needs): Blocker[] {
  const blockers: Blocker[] = []
  for (const [name, need] of needsOf(draft)) {
    const node = draft.nodes.get(name)
    if (node === undefined) continue
    const had = before.get(name)
    const has = { ...node.facts, ports: portsOf(draft, node) }
    for (const [what, key] of [
      ['cores', 'cores'],
      ['bytes of memory', 'memoryBytes'],
      ['ports', 'ports'],
    ] as const) {
      if (need[key] <= has[key] || need[key] <= (had?.[key] ?? 0)) continue
      blockers.push({
        code: 'no_room',
        message: `node ${name} has ${has[key]} ${what} and would need ${need[key]}: use fewer instances or smaller sizes, or start another agent`,
      })
    }
  }
  return blockers
}

/** Has a node what one more instance of a role takes? */
export function hasRoom(draft: Draft, node: Readonly<NodeRecord>, needs: Needs, role: Readonly<RoleRecord>): boolean {
  const more = needOf(draft, role, role.target)
  const need = needs.get(node.name)
  if (more.cores === 0 && more.memoryBytes === 0) return true
  return (
    (need?.cores ?? 0) + more.cores <= node.facts.cores &&
    (need?.memoryBytes ?? 0) + more.memoryBytes <= node.facts.memoryBytes
  )
}

/** Does a role name a size that the fabric lists? */
export function isSized(draft: Draft, role: Readonly<RoleRecord>): boolean {
  return needOf(draft, role, role.target).cores > 0
}

/** Half of the node's share: a start takes new ports while the old ones are not yet free. */
function portsOf(draft: Draft, { index }: Readonly<NodeRecord>): number {
  const { from, to } = shareOfPorts(draft.fabric.settings.portRange, index)
  return Math.floor((to - from + 1) / 2)
}

function needOf(draft: Draft, role: Readonly<RoleRecord>, spec: ProcessRecord['spec']): Need {
  const definition = role.specs[spec]?.definition
  const size = definition?.size == null ? undefined : own(draft.fabric.settings.sizes, definition.size)
  return {
    cores: size?.cores ?? 0,
    memoryBytes: size?.memoryBytes ?? 0,
    ports: definition?.endpoints.length ?? 0,
  }
}

function add(needs: Map<string, Need>, key: string, more: Need): void {
  const need = needs.get(key) ?? { cores: 0, memoryBytes: 0, ports: 0 }
  needs.set(key, {
    cores: need.cores + more.cores,
    memoryBytes: need.memoryBytes + more.memoryBytes,
    ports: need.ports + more.ports,
  })
}

function largest(needs: readonly Need[]): Need {
  return {
    cores: Math.max(0, ...needs.map(({ cores }) => cores)),
    memoryBytes: Math.max(0, ...needs.map(({ memoryBytes }) => memoryBytes)),
    ports: Math.max(0, ...needs.map(({ ports }) => ports)),
  }
}
