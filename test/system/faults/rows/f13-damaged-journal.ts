import { once } from 'node:events'
import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '../../../support/until.ts'
import { pidOf, processesIn } from '../../support/system.ts'
import type { Fault } from '../fault.ts'
import { lossWords } from '../support/losses.ts'
import { more } from '../support/subject.ts'

/** The journal is damaged while no controller runs, and one is started on it. */
function damagedJournal(id: string, how: string, damage: (store: string) => void): Fault {
  return {
    id: `F13.${id}`,
    name: `the journal is ${how}`,
    injected: `up and the controller are killed under load, the journal is ${how}, and a controller is started on it`,
    expected:
      'it says so: it refuses, or goes on from an older good state and says what is lost; instances live on; nothing is lost',
    async run(trial) {
      const subject = await trial.subject()
      await subject.deployed({ version: '1.0.0', instances: 2 })
      const pids = [...(await subject.pids()).values()]
      const load = await subject.load()
      const { system } = subject
      system.up.kill('SIGKILL')
      await once(system.up, 'exit')
      subject.signalPart('controller', 'SIGKILL')
      await until('the controller is gone', () => !isRunning(pidOf(system, 'controller')))
      damage(join(system.data, 'store'))
      trial.injected(`the journal is ${how}`)
      await more(load, 50)
      const log = join(system.data, 'logs', 'controller.log')
      const from = statSync(log).size
      const saidSince = (): string => readFileSync(log, 'utf8').slice(from)
      const next = trial.subject({ data: system.data, admin: system.admin.replace('http://', '') })
      const going = next.then(async ({ client }) => (await client.services()).length > 0)
      const refusing = until('it is refused', () => saidSince().includes('store_damaged'), { timeoutMs: 30_000 })
      const wentOn = await Promise.race([going, refusing.then(() => false)])
      // Whichever of the two did not happen.
      for (const each of [going, refusing]) each.catch(() => undefined)
      const said = saidSince()
      await more(load, 50)
      const isSaid = /store_damaged|was damaged and put back/.test(said)
      trial.check('it says that it is damaged', isSaid)
      trial.check('it refused, or still knows the service', wentOn || /store_damaged/.test(said))
      trial.check('the instances live', pids.every(isRunning))
      const requests = await load.clients.stop()
      await load.watch.stop()
      const lost = requests.filter(({ outcome }) => outcome !== 'ok').length
      trial.check('nothing was lost', lost === 0)
      // Nobody can end it in order any more.
      for (const { pid } of processesIn(system.data)) if (isRunning(pid)) process.kill(pid, 'SIGKILL')
      const losses = await load.finish()
      return { seen: `${wentOn ? 'went on' : 'refused with store_damaged'}; ${lossWords(losses)}`, losses }
    },
  }
}

export const journalCut = damagedJournal('cut', 'cut short', store => {
  const file = newest(store, /\.log$/)
  truncateSync(file, Math.floor(statSync(file).size / 2))
})

export const journalFlipped = damagedJournal('flipped', 'flipped in one bit', store => {
  const file = newest(store, /\.log$/)
  const bytes = readFileSync(file)
  const at = Math.floor(bytes.length / 2)
  bytes[at] = (bytes[at] ?? 0) ^ 1
  writeFileSync(file, bytes)
})

function newest(folder: string, name: RegExp): string {
  const files = readdirSync(folder)
    .filter(each => name.test(each))
    .map(each => join(folder, each))
  const file = files.toSorted((a, b) => statSync(b).size - statSync(a).size)[0]
  if (file === undefined) throw new Error(`${folder} has no such file`)
  return file
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'))
  } catch {
    return false
  }
}
