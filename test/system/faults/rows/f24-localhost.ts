import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Fault } from '../fault.ts'
import { lossWords } from '../support/losses.ts'
import { more } from '../support/subject.ts'

export const localhostIsIpv6: Fault = {
  id: 'F24',
  name: 'localhost is ::1',
  injected: 'vipswap in a mount namespace whose /etc/hosts says that localhost is ::1 alone, under load',
  expected: 'literal addresses are bound and dialled: everything serves on 127.0.0.1; nothing is lost',
  needs: ['root', 'unshare'],
  async run(trial) {
    const hosts = join(trial.folder(), 'hosts')
    writeFileSync(hosts, '::1 localhost\n')
    const script = 'mount --bind "$0" /etc/hosts && exec "$@"'
    const subject = await trial.subject({ wrapper: ['unshare', '-m', '/bin/sh', '-c', script, hosts] })
    await subject.deployed({ version: '1.0.0', instances: 2 })
    const [vip] = await subject.vips()
    const load = await subject.load()
    await more(load, 100)
    const losses = await load.finish()
    trial.check('the address is literal', vip?.host === '127.0.0.1')
    trial.check('nothing was lost', losses.answered === losses.requests)
    return { seen: `served on ${vip?.host}; ${lossWords(losses)}`, losses }
  },
}
