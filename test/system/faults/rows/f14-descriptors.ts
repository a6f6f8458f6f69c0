import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { once } from 'node:events'
import { descendants } from '../../../../bench/system/processes.ts'
import { until } from '../../../support/until.ts'
import { pidOf } from '../../support/system.ts'
import type { Fault } from '../fault.ts'
import { timeNow } from '../history/recorder.ts'
import { lossWords } from '../support/losses.ts'
import { more } from '../support/subject.ts'

const LIMIT = 160

export const noDescriptors: Fault = {
  id: 'F14',
  name: 'the proxy runs out of descriptors',
  injected: `${LIMIT * 2} idle connections to a data plane that may open ${LIMIT} descriptors, under load`,
  expected:
    'connections that are there go on, later ones wait; the admin port answers; all is taken again once they are closed',
  needs: ['prlimit'],
  async run(trial) {
    const subject = await trial.subject()
    await subject.deployed({ version: '1.0.0', instances: 2 })
    const holder = pidOf(subject.system, 'proxy-0')
    execFileSync('prlimit', ['--pid', String(holder), `--nofile=${LIMIT}:${LIMIT}`])
    // The next worker has the holder's limit.
    const [first = 0] = workersOf(holder)
    process.kill(first, 'SIGKILL')
    await until('there is another worker', () => workersOf(holder).some(pid => pid !== first))
    await subject.ready()
    const load = await subject.load({ oneShot: 0 })
    const [vip] = await subject.vips()
    const crowd: Socket[] = []
    trial.teardown(() => crowd.forEach(socket => socket.destroy()))
    trial.injected('a crowd of connections')
    for (let n = 0; n < LIMIT * 2; n += 1) {
      const socket = connect({ host: vip?.host ?? '', port: vip?.port ?? 0 })
      socket.on('error', () => undefined)
      crowd.push(socket)
    }
    await Promise.all(crowd.slice(0, 50).map(async socket => once(socket, 'connect')))
    await more(load, 200)
    const [worker = 0] = workersOf(holder)
    const used = readdirSync(`/proc/${worker}/fd`).length
    const admin = await fetch(`${subject.system.admin}/healthz`)
    trial.check('the worker stayed below its limit', used < LIMIT)
    trial.check('the admin port answers', admin.ok)
    for (const socket of crowd) socket.destroy()
    const freedAt = timeNow()
    const later = await subject.load({ mixed: 0, slowGets: 0, slowPosts: 0, oneShot: 1 })
    const backMs = Math.round((later.clients.requests[0]?.end ?? Infinity) - freedAt)
    await later.clients.stop()
    const losses = await load.finish([...later.clients.requests])
    trial.check('a new connection is answered again', backMs < 5000)
    trial.check('nothing was lost', losses.answered === losses.requests)

    return { seen: `${used} descriptors in use; taken again after ${backMs} ms; ${lossWords(losses)}`, losses: losses }
  },
}

function workersOf(holder: number): number[] {
  return descendants(holder).map(({ pid }) => pid)
}
