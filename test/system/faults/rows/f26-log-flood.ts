import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { pidOf } from '../../support/system.ts'
import type { Fault } from '../fault.ts'
import { lossWords } from '../support/losses.ts'
import { more } from '../support/subject.ts'
import { residentMiB } from '../support/readings.ts'

/** Four files of at most 10 MiB, and what comes in between two looks at them. */
const BOUND_MIB = 500

export const logFlood: Fault = {
  id: 'F26',
  name: 'an instance floods its log',
  injected: 'an instance that writes up to 100 MB/s of bytes without a newline, under load, for some seconds',
  expected: 'its log stays bounded on disk, its agent in memory; it serves on; the portal answers',
  async run(trial) {
    const subject = await trial.subject({ nodes: 1 })
    await subject.deployed({ version: '1.0.0', instances: 2, settings: { MODE: 'flood' } })
    const agent = pidOf(subject.system, 'node-0')
    const load = await subject.load({ thinkMs: 30 })
    let largest = 0
    let memory = 0
    for (let round = 0; round < 10; round += 1) {
      await more(load, 50)
      largest = Math.max(largest, folderMiB(join(subject.system.data, 'nodes', 'node-0', 'instances')))
      memory = Math.max(memory, residentMiB(agent))
    }
    const portal = await fetch(subject.system.admin)
    const losses = await load.finish()
    trial.check('the portal answers', portal.ok)
    trial.check(`the log stayed below ${BOUND_MIB} MiB for each instance`, largest < 2 * BOUND_MIB)
    trial.check('the agent stayed below 300 MiB', memory < 300)
    trial.check('nothing was lost', losses.answered === losses.requests)
    return { seen: `at most ${largest} MiB of logs of 2 instances, agent ${memory} MiB; ${lossWords(losses)}`, losses }
  },
}

function folderMiB(folder: string): number {
  let bytes = 0
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    try {
      if (entry.isFile()) bytes += statSync(join(entry.parentPath, entry.name)).size
    } catch {
      // Rotated away meanwhile.
    }
  }
  return Math.round(bytes / 2 ** 20)
}
