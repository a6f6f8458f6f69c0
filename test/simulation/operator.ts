import type { Command } from '../../src/contracts/command.ts'
import type { HealthReported } from '../../src/fabric/input.ts'
import { certificatesIn, RELEASES } from './catalogue.ts'
import { placed } from './placed.ts'
import type { Prng } from './prng.ts'
import type { SimController } from './sim-controller.ts'
import { choose, viewOf } from './verbs.ts'
import type { World } from './world.ts'

/** Asks for one thing after another, mostly sensible, and repeats what got no answer under the same key. */
export class Operator {
  readonly #world: World
  readonly #controller: SimController
  #keys = 0
  readonly #operations = new Map<string, string>()
  /** How often each verb was asked for. */
  readonly asked: Record<string, number> = {}

  constructor(world: World, controller: SimController) {
    this.#world = world
    this.#controller = controller
  }

  /** An addition that died with its controller is repeated, as an upload would be. */
  upload(): void {
    for (const release of RELEASES) {
      if (this.#controller.up && this.#controller.state.releases[release.digest] === undefined) {
        this.#controller.addRelease(release, certificatesIn(release))
      }
    }
  }

  /** Whatever comes to mind. */
  act(dice: Prng): void {
    this.upload()
    const { name, asked } = choose(viewOf(dice, this.#controller.state))
    this.asked[name] = (this.asked[name] ?? 0) + 1
    if (asked.kind === 'health-reported') this.#report(asked)
    else this.#try(asked, dice.chance(0.5) ? `key-${++this.#keys}` : null, 0, dice)
  }

  #report(report: HealthReported): void {
    const applied = this.#controller.reportHealth(report)
    const { instance = 'the deployment', service, slot } = report
    const answer = applied === null ? 'no answer' : (applied.refusal?.code ?? 'taken')
    this.#world.done(`operator: ${report.report.state} reported of ${instance} in ${service}/${slot} → ${answer}`)
  }

  /** Until there is an answer. */
  insist(command: Command): void {
    this.#try(command, `key-${++this.#keys}`, -100, this.#world.dice(`insistence ${this.#keys}`))
  }

  #try(command: Command, key: string | null, tries: number, dice: Prng): void {
    const applied = this.#controller.command(command, key, certificatesIn(command))
    const answer = applied === null ? 'no answer' : (applied.operation ?? applied.refusal?.code ?? '?')
    this.#world.done(`operator: ${JSON.stringify(command)}${key === null ? '' : ` (${key})`} → ${answer}`)
    const again = (): void => this.#world.after(dice.between(100, 900), () => this.#try(command, key, tries + 1, dice))
    if (applied === null) {
      if (key !== null && tries < 5) again()
      return
    }
    if (key === null || applied.operation === null) return
    const earlier = this.#operations.get(key)
    if (earlier !== undefined && earlier !== applied.operation) {
      this.#world.fail('same key, same operation', `key ${key} answered ${applied.operation} after ${earlier}`)
    }
    this.#operations.set(key, applied.operation)
    if (earlier === undefined && dice.chance(0.2)) again()
  }

  /** Brings what waits for a person to its end. */
  finish(dice: Prng): void {
    const submit = (command: Command): void => this.#try(command, null, 0, dice)
    const { state } = this.#controller
    for (const { name, draining } of Object.values(state.nodes)) {
      if (draining === true) submit({ kind: 'undrainNode', node: name })
    }
    for (const { role, instance } of placed(state)) {
      const home = state.services[state.deployments[role.deployment]?.service ?? '']
      const slot = home?.slots.staging === role.deployment ? 'staging' : 'production'
      if (instance.drained === true && home !== undefined)
        submit({ kind: 'undrain', service: home.name, slot, instance: instance.id })
    }
    for (const { name: service, prepared, slots } of Object.values(state.services)) {
      if (prepared !== null) {
        submit({ kind: 'swap', service, phase: dice.chance(0.5) ? 'cancel' : 'commit' })
        if (this.#controller.state.services[service]?.prepared) submit({ kind: 'swap', service, phase: 'cancel' })
      }
      for (const slot of ['production', 'staging'] as const) {
        const deployment = this.#controller.state.deployments[slots[slot] ?? '']
        const upgrade = deployment?.upgrade
        // A suspended walk goes on, and a rollback that could not start an old instance is asked for again.
        if (upgrade != null && deployment?.state === 'suspended')
          submit({ kind: 'status', service, slot, status: 'Running' })
        if (upgrade?.phase === 'halted') submit({ kind: 'rollback', service, slot })
        // A floor that the layout can never keep.
        if (upgrade?.belowFloor === true) {
          const operation = [upgrade.walk, upgrade.operation].find(
            id => this.#controller.state.operations[id ?? '']?.status === 'InProgress',
          )
          if (operation != null) submit({ kind: 'force', operation })
        }
        if (upgrade?.phase !== 'waiting' || upgrade.walk !== null) continue
        const back = upgrade.direction === 'forward' && dice.chance(0.15)
        submit({ kind: back ? 'rollback' : 'walk', service, slot })
      }
    }
  }
}
