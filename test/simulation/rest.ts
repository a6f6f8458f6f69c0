import { placed } from './placed.ts'
import type { Operator } from './operator.ts'
import type { SimController } from './sim-controller.ts'
import { checkStuckWalks } from './stuck-walk.ts'
import type { World } from './world.ts'

/** Rounds of 20 simulated seconds within which all must have come to its end. */
const ROUNDS = 60

const isBusy = (controller: SimController): boolean =>
  !controller.up ||
  Object.values(controller.state.operations).some(operation => operation.status === 'InProgress') ||
  Object.values(controller.state.deployments).some(deployment => deployment.upgrade !== null)

/** No more faults: what waits for a person gets one, until nothing is under way. */
export function comeToRest(world: World, controller: SimController, operator: Operator): void {
  world.calm = true
  world.takenPorts.clear()
  checkStuckWalks(world, controller)
  world.healed = true
  const dice = world.dice('rest')
  for (let round = 0; round < ROUNDS; round++) {
    if (controller.up) operator.finish(dice)
    world.run(20_000)
    if (round > 1 && !isBusy(controller)) break
  }
  // The longest partition ends within that.
  world.run(100_000)
}

/** What must hold when nothing is asked for and nothing goes wrong any more. */
export function checkRest(world: World, controller: SimController): void {
  const { state } = controller
  for (const { kind, id, status, step, receipt } of Object.values(state.operations)) {
    if (status === 'InProgress') world.fail('everything ends', `${kind} ${id} never ends: ${step}`)
    if (receipt === null) world.fail('everything ends', `${kind} ${id} has no receipt`)
  }
  for (const { id, state: name, service, upgrade } of Object.values(state.deployments)) {
    if (upgrade !== null) world.fail('everything ends', `the walk of ${id} never ends: ${upgrade.phase}`)
    if (name !== 'running' && name !== 'suspended') world.fail('everything ends', `${id} rests in state ${name}`)
    if (!Object.values(state.services[service]?.slots ?? {}).includes(id))
      world.fail('rests as asked', `${id} is in no slot`)
    for (const { key, instance } of placed(state, id)) {
      const stage = name === 'running' ? 'serving' : 'stopped'
      if (instance.stage !== stage)
        world.fail('rests as asked', `${key} of a ${name} deployment rests in stage ${instance.stage}`)
      if (name === 'running' && instance.published?.membership !== 'in')
        world.fail('rests as asked', `${key} is not in the table`)
    }
  }
  checkProcesses(world, controller)
  for (const { name, lost } of Object.values(state.nodes))
    if (lost === true) world.fail('everything ends', `node ${name} is back and still counts as lost`)
  // What has been told may lag behind the last commit only in its revision.
  const table = JSON.stringify({ ...controller.rules.projectRouting(state, world.now()), revision: null })
  for (const proxy of controller.liveProxies) {
    if (JSON.stringify({ ...proxy.applied, revision: null }) !== table)
      world.fail('told is told', `${proxy.incarnation} has another table than the last`)
  }
  const { commits } = controller
  world.run(600_000)
  if (controller.commits !== commits) world.fail('comes to rest', `${controller.commits - commits} commits at rest`)
}

/** What lives is exactly what serves. */
function checkProcesses(world: World, { state }: SimController): void {
  const running = placed(state)
    .filter(({ instance }) => instance.stage === 'serving')
    .map(({ key, instance }) => `${key}#${instance.incarnation}.${instance.published?.attempt}`)
    .toSorted()
  const alive = [...world.processes].flatMap(([key, process]) => (process.alive ? [key] : [])).toSorted()
  if (alive.join() !== running.join())
    world.fail('rests as asked', `processes ${alive.join(', ')} live, ${running.join(', ')} should`)
}
