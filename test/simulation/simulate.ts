import { projectRouting } from '../../src/fabric/project.ts'
import { placed } from './invariants.ts'
import { Operator, RELEASES, named } from './operator.ts'
import { SimAgent } from './sim-agent.ts'
import { SimController, type KillPlan } from './sim-controller.ts'
import { SimProxies } from './sim-proxy.ts'
import type { Step } from './scripts.ts'
import { World } from './world.ts'

export interface Options {
  /** Absent: kills at random commits, some seeds many, some none. */
  readonly kill?: KillPlan
  /** How long commands and faults go on, in simulated milliseconds. */
  readonly busyMs?: number
  /** Asked for instead of what comes to the operator's mind, and no other faults. */
  readonly script?: readonly Step[]
}

export interface Outcome {
  readonly seed: number
  readonly steps: number
  readonly commits: number
  readonly kills: number
  readonly operations: Readonly<Record<string, number>>
  /** What was broken, with the last events; null if nothing. */
  readonly violation: string | null
}

/** One run: commands and faults for a while, then calm, then everything must have come to its end. */
export function simulate(seed: number, options: Options = {}): Outcome {
  const world = new World(seed)
  const { random } = world
  const often = random.pick([0, 0.02, 0.1, 0.3])
  const dice = new World(seed + 1_000_003).random
  const kill: KillPlan =
    options.kill ?? (() => (!world.calm && dice.chance(often) ? (dice.chance(0.5) ? 'before' : 'after') : null))
  const controller = new SimController(world, kill, seed % 10 === 0)
  const operator = new Operator(world, controller)
  let violation: string | null = null
  try {
    start(world, controller)
    const busyMs = options.busyMs ?? random.between(15_000, 60_000)
    if (options.script === undefined) {
      commands(world, operator)
      faults(world, controller, random.pick([0, 1, 1, 4]))
    } else {
      for (const { at, command } of options.script) world.after(at, () => operator.insist(command))
    }
    world.run(busyMs)
    comeToRest(world, controller, operator)
    checkRest(world, controller)
  } catch (thrown) {
    const text =
      thrown instanceof Error ? (thrown.constructor === Error ? thrown.stack : thrown.message) : String(thrown)
    const stack = thrown instanceof Error && thrown.name !== 'Error' ? `\n${thrown.stack}` : ''
    violation = `seed ${seed}, after ${world.time} ms: ${text}${stack}\n  ${world.lastEvents.join('\n  ')}`
  }
  const operations: Record<string, number> = {}
  for (const { kind, status } of Object.values(controller.state.operations)) {
    operations[`${kind} ${status}`] = (operations[`${kind} ${status}`] ?? 0) + 1
  }
  return { seed, steps: world.steps, commits: controller.commits, kills: controller.kills, operations, violation }
}

function start(world: World, controller: SimController): void {
  for (const release of RELEASES) controller.addRelease(release, named(release))
  const nodes = world.random.between(1, 3)
  for (let index = 0; index < nodes; index++) controller.agents.push(new SimAgent(world, controller, `node-${index}`))
  controller.proxyFamilies.push(new SimProxies(world, controller, 'proxy'))
  if (world.random.chance(0.2)) controller.proxyFamilies.push(new SimProxies(world, controller, 'other'))
  for (const agent of controller.agents) agent.connect()
}

function commands(world: World, operator: Operator): void {
  if (world.calm) return
  operator.act()
  const hurried = world.random.chance(0.2)
  world.after(world.random.between(hurried ? 1 : 200, hurried ? 100 : 2500), () => commands(world, operator))
}

function faults(world: World, controller: SimController, rate: number): void {
  if (world.calm || rate === 0) return
  const { random } = world
  world.after(random.between(300, 5000) / rate, () => {
    if (world.calm) return
    fault(world, controller)
    faults(world, controller, rate)
  })
}

function fault(world: World, controller: SimController): void {
  const { random } = world
  const agent = random.pick(controller.agents)
  const family = random.pick(controller.proxyFamilies)
  const roll = random.next()
  if (roll < 0.3) agent.crashOne()
  else if (roll < 0.45) agent.hangOne()
  else if (roll < 0.53) agent.breakLink()
  else if (roll < 0.55) agent.partition(random.between(2000, 20_000))
  else if (roll < 0.65) family.current?.breakLink()
  else if (roll < 0.75) family.crash()
  else if (roll < 0.83) family.replace()
  else if (roll < 0.9) world.takenPorts.add(random.pick([8080, 8081, 9090, 9091]))
  else if (roll < 0.97) world.takenPorts.clear()
  else controller.reboot()
}

const isBusy = (controller: SimController): boolean =>
  !controller.up ||
  Object.values(controller.state.operations).some(operation => operation.status === 'InProgress') ||
  Object.values(controller.state.deployments).some(deployment => deployment.upgrade !== null)

function comeToRest(world: World, controller: SimController, operator: Operator): void {
  world.calm = true
  world.healed = true
  world.takenPorts.clear()
  for (let round = 0; round < 60; round++) {
    if (controller.up) operator.finish()
    world.run(20_000)
    if (round > 1 && !isBusy(controller)) break
  }
  world.run(30_000)
}

function checkRest(world: World, controller: SimController): void {
  const { state } = controller
  for (const operation of Object.values(state.operations)) {
    if (operation.status === 'InProgress') world.fail(`${operation.kind} ${operation.id} never ends: ${operation.step}`)
    if (operation.receipt === null) world.fail(`${operation.kind} ${operation.id} has no receipt`)
  }
  for (const deployment of Object.values(state.deployments)) {
    if (deployment.upgrade !== null) world.fail(`the walk of ${deployment.id} never ends: ${deployment.upgrade.phase}`)
    const { state: name, id } = deployment
    if (name !== 'running' && name !== 'suspended') world.fail(`${id} rests in state ${name}`)
    if (!Object.values(state.services[deployment.service]?.slots ?? {}).includes(id)) world.fail(`${id} is in no slot`)
    for (const { key, instance } of placed(state, id)) {
      const stage = name === 'running' ? 'serving' : 'stopped'
      if (instance.stage !== stage) world.fail(`${key} of a ${name} deployment rests in stage ${instance.stage}`)
      if (name === 'running' && instance.published?.membership !== 'in') world.fail(`${key} is not in the table`)
    }
  }
  const running = placed(state)
    .filter(({ instance }) => instance.stage === 'serving')
    .map(({ key, instance }) => `${key}#${instance.incarnation}.${instance.published?.attempt}`)
    .toSorted()
  const alive = [...world.processes].filter(([, process]) => process.alive).map(([key]) => key)
  if (JSON.stringify(alive.toSorted()) !== JSON.stringify(running)) {
    world.fail(`processes ${alive.toSorted().join(', ')} live, ${running.join(', ')} should`)
  }
  const table = JSON.stringify(projectRouting(state, world.now()))
  for (const proxy of controller.liveProxies) {
    if (JSON.stringify(proxy.applied) !== table) world.fail(`${proxy.incarnation} has another table than the last`)
  }
  const { commits } = controller
  world.run(600_000)
  if (controller.commits !== commits) world.fail(`${controller.commits - commits} commits at rest`)
}
