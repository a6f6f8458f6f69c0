import { randomUUID } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '../../../support/until.ts'
import { processesIn } from '../../support/system.ts'
import type { Fault } from '../fault.ts'
import { timeNow } from '../history/recorder.ts'
import { SERVICE } from '../support/package.ts'

const BOOT_ID = '/proc/sys/kernel/random/boot_id'

export const nodeRebooted: Fault = {
  id: 'R1',
  name: 'the machine reboots',
  injected: `every process is killed at once, and the next up finds another boot id (bound over ${BOOT_ID} in a mount namespace)`,
  expected: 'all that was deployed runs again, once, in the slots where it was; pids of before are nobody’s',
  needs: ['root', 'unshare'],
  async run(trial) {
    const boot = join(trial.folder(), 'boot')
    const script = `mount --bind "$0" ${BOOT_ID} && exec "$@"`
    const wrapper = ['unshare', '-m', '/bin/sh', '-c', script, boot]
    writeFileSync(boot, `${randomUUID()}\n`)
    const first = await trial.subject({ wrapper })
    const { data, admin } = first.system
    await first.deployed({ version: '1.0.0', instances: 2 })
    await first.deployed({ version: '2.0.0', instances: 2 }, 'staging')
    await first.operate('swap', async idempotencyKey => first.client.swap(SERVICE, {}, { idempotencyKey }))
    const before = await first.view()
    const pids = await first.pids()
    trial.injected('power is lost')
    const all = processesIn(data)
    for (const { pid } of all) process.kill(pid, 'SIGKILL')
    await until('everything has ended', () => processesIn(data).length === 0)
    writeFileSync(boot, `${randomUUID()}\n`)
    const began = timeNow()
    const second = await trial.subject({ wrapper, data, admin: admin.replace('http://', '') })
    await second.allIn()
    await second.allIn('staging')
    const took = Math.round(timeNow() - began)
    const after = await second.view()
    const [vip] = await second.vips()
    const answer = await fetch(`http://${vip?.host}:${vip?.port}/`)
    trial.check('the same deployment is in production', after.id === before.id && after.version === '2.0.0')
    trial.check('it answers', answer.headers.get('x-version') === '2.0.0')
    trial.check(
      'new processes',
      [...(await second.pids()).values()].every(pid => ![...pids.values()].includes(pid)),
    )
    const serving = processesIn(data).filter(({ command }) => command.startsWith('node server.mjs'))
    trial.check('one process an instance', serving.length === 4)
    return {
      seen: `${all.length} processes killed; all 4 instances ready ${took} ms after the start; ${serving.length} processes`,
    }
  },
}
