import type { Command } from '../../src/contracts/command.ts'
import type { Certificate } from '../../src/model/certificate.ts'
import type { Slot } from '../../src/model/common.ts'
import type { Release } from '../../src/model/release.ts'
import type { UpgradePolicySource } from '../../src/model/upgrade-policy-schema.ts'
import { UPGRADE_MODES } from '../../src/model/states.ts'
import { certificate, digest, endpoint, makeRelease, role } from './releases.ts'
import { placed } from './invariants.ts'
import type { SimController } from './sim-controller.ts'
import type { World } from './world.ts'

function shop(version: string, unchanged: Record<string, string> = {}, port = 8080, domains = 3): Release {
  const roles = [
    role('web', {
      instances: 4,
      endpoints: [endpoint('http', port), endpoint('inner', 0, { internal: true })],
      settings: { colour: 'red', store: '' },
      slotSettings: { store: { production: 'live', staging: 'test' } },
      warmUp: [{ endpoint: 'http', path: '/', accept: [[200, 399]], timeoutMs: 1000 }],
      verify: [{ kind: 'short', endpoint: 'http', path: '/', accept: [[200, 399]], body: null }],
    }),
    role('crunch', { kind: 'worker', endpoints: [], instances: 2, settings: { depth: '1' }, settingsReload: 'SIGHUP' }),
  ]
  return makeRelease('shop', version, roles, { unchanged, upgradeDomainCount: domains })
}

/** Without crunch, with a role of its own. */
function reshaped(): Release {
  const { definition } = shop('4.0.0')
  const { web } = definition.roles
  const extra = role('extra', { instances: 3, endpoints: [endpoint('side', 8090)] })
  return makeRelease('shop', '4.0.0', [...(web === undefined ? [] : [web]), extra], { upgradeDomainCount: 3 })
}

/** More and larger instances, other endpoints, another platform. */
function grown(): Release {
  const roles = [
    role('web', {
      instances: 5,
      size: 'big',
      endpoints: [endpoint('http', 8088), endpoint('inside', 0, { internal: true }), endpoint('more', 8080)],
      settings: { colour: 'red', shape: 'round' },
    }),
    role('crunch', { kind: 'worker', endpoints: [], instances: 1, settings: { depth: '1' } }),
  ]
  const platform = { version: '2', trustLevel: 'full' } as const
  return makeRelease('shop', '4.1.0', roles, { upgradeDomainCount: 3, platform })
}

/** What the packages of blog bring, and what its operator gives instead. */
const CERTIFICATES = ['1.0.0', '1.1.0', '1.2.0-bad', 'given', 'renewed'].map(name =>
  certificate(name, ['blog.localhost']),
)

/** Over TLS, with a certificate of its own in each package. */
function blog(version: string): Release {
  const tls = endpoint('http', 0, { protocol: 'https', certificates: ['site'] })
  const web = role('web', {
    instances: 3,
    endpoints: [tls],
    certificates: { site: { cert: 'a', key: 'a' } },
    order: 'start-first',
  })
  return {
    ...makeRelease('blog', version, [web]),
    certificates: { web: { site: { id: certificate(version, []).id } } },
  }
}

/** The certificates that a text names by id. */
export function named(text: unknown): Certificate[] {
  const written = JSON.stringify(text)
  return CERTIFICATES.filter(({ id }) => written.includes(id))
}

/** Packages of the simulated fabric; `bad` crashes at its start, `hang` never gets ready, both until healed. */
export const RELEASES: readonly Release[] = [
  shop('1.0.0'),
  shop('1.1.0', { crunch: '1.0.0' }),
  shop('1.2.0-bad'),
  shop('1.3.0-hang', { crunch: '1.0.0' }),
  shop('2.0.0', {}, 9090),
  shop('3.0.0', {}, 8080, 4),
  reshaped(),
  grown(),
  blog('1.0.0'),
  blog('1.1.0'),
  blog('1.2.0-bad'),
]

const USUAL = [
  '1.0.0',
  '1.1.0',
  '1.0.0',
  '1.1.0',
  '1.0.0',
  '1.1.0',
  '1.1.0',
  '1.2.0-bad',
  '1.3.0-hang',
  '2.0.0',
  '3.0.0',
  '4.0.0',
  '4.1.0',
  '4.0.0',
  '4.1.0',
]

/** Asks for one thing after another, mostly sensible, and repeats what got no answer under the same key. */
export class Operator {
  readonly #world: World
  readonly #controller: SimController
  #keys = 0
  readonly #operations = new Map<string, string>()

  constructor(world: World, controller: SimController) {
    this.#world = world
    this.#controller = controller
  }

  /** One random command. */
  act(): void {
    // An addition that died with its controller is repeated, as an upload would be.
    for (const release of RELEASES) {
      if (this.#controller.up && this.#controller.state.releases[release.digest] === undefined) {
        this.#controller.addRelease(release, named(release))
      }
    }
    const command = this.#random()
    this.submit(command)
  }

  submit(command: Command): void {
    const { random } = this.#world
    this.#try(command, random.chance(0.5) ? `key-${++this.#keys}` : null, 0)
  }

  /** As `submit`, until there is an answer. */
  insist(command: Command): void {
    this.#try(command, `key-${++this.#keys}`, -100)
  }

  #try(command: Command, key: string | null, tries: number): void {
    const applied = this.#controller.command(command, key, named(command))
    this.#world.log(
      `${JSON.stringify(command)} → ${applied === null ? 'no answer' : (applied.operation ?? applied.refusal?.code ?? '?')}`,
    )
    const again = (): void =>
      this.#world.after(this.#world.random.between(100, 900), () => this.#try(command, key, tries + 1))
    if (applied === null) {
      if (key !== null && tries < 5) again()
      return
    }
    if (key === null || applied.operation === null) return
    const earlier = this.#operations.get(key)
    if (earlier !== undefined && earlier !== applied.operation) {
      this.#world.fail(`key ${key} answered ${applied.operation} after ${earlier}`)
    }
    this.#operations.set(key, applied.operation)
    if (earlier === undefined && this.#world.random.chance(0.2)) again()
  }

  #random(): Command {
    const { random } = this.#world
    const { state } = this.#controller
    if (random.chance(0.06)) {
      const node = random.pick([...Object.keys(state.nodes), 'nowhere'])
      return { kind: random.chance(0.5) ? 'drainNode' : 'undrainNode', node }
    }
    const service = random.chance(0.75) ? 'shop' : 'blog'
    const slot: Slot = random.chance(0.6) ? 'production' : 'staging'
    const release = digest(`${service}@${this.#version(service)}`)
    const slots = state.services[service]?.slots
    const deployment = state.deployments[slots?.[slot] ?? '']
    if (deployment === undefined) {
      if (random.chance(0.15)) return { kind: 'swap', service }
      if (random.chance(0.03)) return { kind: 'deleteService', service }
      return { kind: 'create', service, slot, package: release, replace: random.chance(0.2) }
    }
    if (random.chance(0.06)) {
      const instance = random.pick(['web_IN_0', 'web_IN_1', 'crunch_IN_0'])
      return { kind: random.chance(0.5) ? 'drain' : 'undrain', service, slot, instance }
    }
    const { upgrade } = deployment
    if (upgrade !== null && random.chance(0.5)) {
      const roll = random.next()
      if (roll < 0.4) return { kind: 'walk', service, slot }
      if (roll < 0.75) return { kind: 'rollback', service, slot, mode: random.chance(0.7) ? 'auto' : 'manual' }
      return {
        kind: 'changeUpgrade',
        service,
        slot,
        ...(random.chance(0.6) ? { mode: random.pick(UPGRADE_MODES) } : { policy: this.#policy() }),
      }
    }
    if (state.services[service]?.prepared && random.chance(0.6)) {
      return { kind: 'swap', service, phase: random.chance(0.6) ? 'commit' : 'cancel' }
    }
    const roll = random.next()
    if (roll < 0.3) {
      return {
        kind: 'upgrade',
        service,
        slot,
        package: release,
        mode: random.pick(UPGRADE_MODES),
        force: random.chance(0.8),
        overlap: random.chance(0.1),
        restartUnchanged: random.chance(0.2),
        verify: random.chance(0.15),
        policy: this.#policy(),
        ...(random.chance(0.1) ? { allowRoleChanges: false } : {}),
        ...(random.chance(0.2) ? { configuration: { roles: { web: { instances: random.between(0, 6) } } } } : {}),
        ...(service === 'shop' && random.chance(0.2) ? { role: random.pick(['web', 'crunch']) } : {}),
      }
    }
    if (roll < 0.5) {
      if (random.chance(0.2)) return { kind: 'swap', service, phase: 'prepare' }
      if (random.chance(0.1)) return { kind: 'swap', service, phase: 'cancel' }
      const expect = {
        production: slots?.production ?? null,
        staging: random.chance(0.8) ? (slots?.staging ?? null) : 'd0',
      }
      return { kind: 'swap', service, verify: random.chance(0.2), ...(random.chance(0.5) ? { expect } : {}) }
    }
    if (roll < 0.62) return this.#configure(service, slot)
    if (roll < 0.7) return { kind: 'status', service, slot, status: random.chance(0.5) ? 'Suspended' : 'Running' }
    if (roll < 0.78) return { kind: 'delete', service, slot }
    if (roll < 0.88) return { kind: 'create', service, slot, package: release, replace: true }
    const kind = random.chance(0.6) ? 'reboot' : 'reimage'
    return { kind, service, slot, instance: `${random.chance(0.8) ? 'web' : 'crunch'}_IN_${random.between(0, 4)}` }
  }

  /** Any clocks; nothing unready is tolerated, as the invariant on gates asks. */
  #policy(): UpgradePolicySource {
    const { random } = this.#world
    return {
      failureAction: random.pick(['rollback', 'manual']),
      healthCheckStableDuration: random.pick(['0s', '3s', '10s']),
      healthCheckRetryTimeout: random.pick(['0s', '5s', '20s']),
      healthCheckWaitDuration: random.pick(['0s', '0s', '2s']),
      healthCheckInterval: random.pick(['500ms', '1s', '5s']),
      upgradeDomainTimeout: random.pick(['none', '30s', '120s']),
      upgradeTimeout: random.pick(['none', '120s', '300s']),
      considerWarningAsError: random.chance(0.2),
      maxPercentUnhealthy: 0,
      minReadyPercent: 100,
      onStartTimeout: 'unhealthy',
      baseline: false,
      ...(random.chance(0.5) ? { gates: { minRequests: 1, maxErrorPercent: 10, maxP99Ratio: 2 } } : {}),
    }
  }

  #configure(service: string, slot: Slot): Command {
    const { random } = this.#world
    if (service === 'blog' && random.chance(0.5)) {
      const certificates = { site: { id: random.pick(CERTIFICATES).id } }
      return { kind: 'configure', service, slot, configuration: { roles: { web: { certificates } } } }
    }
    if (service === 'shop' && random.chance(0.2)) {
      const crunch = { settings: { depth: random.pick(['1', '2']) } }
      return { kind: 'configure', service, slot, configuration: { roles: { crunch } } }
    }
    const web = random.chance(0.75)
      ? { instances: random.between(0, 6) }
      : {
          settings: { colour: random.pick(['red', 'green', 'blue']) },
          ...(random.chance(0.3) ? { instances: random.between(0, 6) } : {}),
        }
    const mode = random.chance(0.3) ? { mode: random.pick(UPGRADE_MODES) } : {}
    return { kind: 'configure', service, slot, configuration: { roles: { web } }, ...mode }
  }

  #version(service: string): string {
    const { random } = this.#world
    return service === 'shop' ? random.pick(USUAL) : random.pick(['1.0.0', '1.1.0', '1.0.0', '1.1.0', '1.2.0-bad'])
  }

  /** Brings what waits for a person to its end. */
  finish(): void {
    const { random } = this.#world
    const { state } = this.#controller
    for (const { name, draining } of Object.values(state.nodes)) {
      if (draining === true) this.submit({ kind: 'undrainNode', node: name })
    }
    for (const { role, instance } of placed(state)) {
      const home = state.services[state.deployments[role.deployment]?.service ?? '']
      const slot = home?.slots.staging === role.deployment ? 'staging' : 'production'
      if (instance.drained === true && home !== undefined)
        this.submit({ kind: 'undrain', service: home.name, slot, instance: instance.id })
    }
    for (const service of Object.values(state.services)) {
      if (service.prepared !== null) {
        this.submit({ kind: 'swap', service: service.name, phase: random.chance(0.5) ? 'cancel' : 'commit' })
        if (this.#controller.state.services[service.name]?.prepared) {
          this.submit({ kind: 'swap', service: service.name, phase: 'cancel' })
        }
      }
      for (const slot of ['production', 'staging'] as const) {
        const deployment = this.#controller.state.deployments[service.slots[slot] ?? '']
        const upgrade = deployment?.upgrade
        // A suspended walk goes on, and a rollback that could not start an old instance is asked for again.
        if (upgrade != null && deployment?.state === 'suspended')
          this.submit({ kind: 'status', service: service.name, slot, status: 'Running' })
        if (upgrade?.phase === 'halted') this.submit({ kind: 'rollback', service: service.name, slot })
        if (upgrade?.phase !== 'waiting' || upgrade.walk !== null) continue
        if (upgrade.direction === 'forward' && random.chance(0.15)) {
          this.submit({ kind: 'rollback', service: service.name, slot })
        } else this.submit({ kind: 'walk', service: service.name, slot })
      }
    }
  }
}
