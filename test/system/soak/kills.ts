import { setTimeout as delay } from 'node:timers/promises'
import { descendants } from '../../../bench/system/processes.ts'
import type { Prng } from '../../simulation/prng.ts'
import type { Subject } from '../faults/support/subject.ts'
import type { Trial } from '../faults/support/trial.ts'
import { pidOf } from '../support/system.ts'
import { killWords, VICTIMS, type Victim } from '../../checkers/losses.ts'

const PAUSE_MS = { least: 2000, most: 8000 }

/** Kills something, waits a while, and so on, until the signal; answers how often what. */
export async function runKills(
  trial: Trial,
  subject: Subject,
  dice: Prng,
  stop: AbortSignal,
): Promise<Record<string, number>> {
  const done: Record<string, number> = {}
  while (!stop.aborted) {
    await delay(dice.between(PAUSE_MS.least, PAUSE_MS.most), null, { signal: stop }).catch(() => undefined)
    if (stop.aborted) break
    const victim = dice.pick(VICTIMS)
    const found = await findVictim(subject, dice, victim).catch(() => null)
    if (found === null) continue
    trial.injected(killWords(victim, found.name))
    try {
      process.kill(found.pid, 'SIGKILL')
      done[victim] = (done[victim] ?? 0) + 1
    } catch {
      // It has ended by itself.
    }
  }
  return done
}

/** A negative pid means the whole process group. */
async function findVictim(subject: Subject, dice: Prng, victim: Victim): Promise<{ name: string; pid: number } | null> {
  switch (victim) {
    case 'an instance': {
      const slot = dice.pick(['production', 'staging'] as const)
      const { id, pid } = dice.pick((await subject.view(slot)).instances)
      return pid === null ? null : { name: `${id} in ${slot}`, pid: -pid }
    }
    case 'an agent': {
      const name = dice.pick(['node-0', 'node-1'])
      return { name, pid: pidOf(subject.system, name) }
    }
    case 'the controller':
      return { name: 'controller', pid: pidOf(subject.system, 'controller') }
    case 'a proxy worker': {
      const family = descendants(pidOf(subject.system, 'proxy-0'))
      const { pid } = dice.pick(family.filter(({ command }) => command.includes('worker')))
      return { name: `pid ${pid}`, pid }
    }
  }
}
