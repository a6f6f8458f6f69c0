import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { listProcesses } from '../../../../src/core/process-identity.ts'
import { descendants } from '../../../../bench/system/processes.ts'
import { until } from '../../../support/until.ts'
import { pidOf, processesIn } from '../../support/system.ts'
import type { Fault } from '../fault.ts'
import { lossWords } from '../support/losses.ts'
import { SERVICE } from '../support/package.ts'
import type { Subject } from '../support/subject.ts'
import { descriptorsOf, residentMiB } from '../support/readings.ts'

const CYCLES = 15
const LONG_CYCLES = 1000
const PARTS = ['controller', 'proxy-0', 'node-0']

interface Size {
  readonly descriptors: number
  readonly processes: number
  readonly files: number
  readonly memory: number
}

export const cycles: Fault = {
  id: 'F25',
  name: 'deployed, swapped and deleted over and over',
  injected: `${CYCLES} (--long: ${LONG_CYCLES}) times: deploy to staging, swap, delete staging; under load`,
  expected: 'descriptors, processes and files are what they were; memory has grown by less than 10 % (of the long run)',
  async run(trial) {
    const subject = await trial.subject({ nodes: 1 })
    const digest = await subject.upload({ version: '1.0.0', instances: 1 })
    const create = async (slot: 'production' | 'staging') =>
      subject.operate(`create ${slot}`, async idempotencyKey =>
        subject.client.create(SERVICE, slot, { package: digest }, { idempotencyKey }),
      )
    await create('production')
    const load = await subject.load({ thinkMs: 40 })
    const cycle = async (): Promise<void> => {
      const lines = [
        await create('staging'),
        await subject.operate('swap', async idempotencyKey => subject.client.swap(SERVICE, {}, { idempotencyKey })),
        await subject.operate('delete', async idempotencyKey =>
          subject.client.delete(SERVICE, 'staging', { idempotencyKey }),
        ),
      ]
      for (const { call, outcome } of lines) trial.check(`${call} succeeded`, outcome === 'Succeeded')
    }
    // What grows only once has grown then.
    const warm = trial.long ? 100 : 5
    for (let n = 0; n < warm; n += 1) await cycle()
    const before = await settled(subject)
    const count = trial.long ? LONG_CYCLES : CYCLES
    for (let n = 0; n < count; n += 1) await cycle()
    const after = await until('the sizes are what they were', async () => {
      const now = await settled(subject)
      return now.descriptors <= before.descriptors + 3 &&
        now.processes === before.processes &&
        now.files <= before.files + 3
        ? now
        : null
    }).catch(async () => settled(subject))
    const losses = await load.finish()
    trial.check('descriptors are what they were', after.descriptors <= before.descriptors + 3)
    trial.check('processes are what they were', after.processes === before.processes)
    trial.check('files are what they were', after.files <= before.files + 3)
    if (trial.long) trial.check('memory has grown by less than 10 %', after.memory < before.memory * 1.1)
    trial.check('nothing was lost', losses.answered === losses.requests)
    const words = ({ descriptors, processes, files, memory }: Size): string =>
      `${descriptors} descriptors, ${processes} processes, ${files} files, ${memory} MiB`
    return { seen: `before: ${words(before)}; after ${count} cycles: ${words(after)}; ${lossWords(losses)}`, losses }
  },
}

async function settled({ system }: Subject): Promise<Size> {
  const role = (): number =>
    processesIn(system.data).filter(({ command }) => command.startsWith('node server.mjs')).length
  await until('only production runs', () => role() === 1, { timeoutMs: 20_000 })
  const holder = pidOf(system, 'proxy-0')
  const pids = [...PARTS.map(name => pidOf(system, name)), ...descendants(holder).map(({ pid }) => pid)]
  const sum = (read: (pid: number) => number): number => pids.reduce((total, pid) => total + read(pid), 0)
  const groups = new Set(processesIn(system.data).map(({ pid }) => pid))
  return {
    descriptors: sum(descriptorsOf),
    processes: listProcesses().filter(({ pid }) => groups.has(pid)).length,
    files:
      countFiles(join(system.data, 'nodes')) +
      countFiles(join(system.data, 'run')) +
      countFiles(join(system.data, 'packages')),
    memory: sum(residentMiB),
  }
}

function countFiles(folder: string): number {
  return readdirSync(folder, { recursive: true }).length
}
