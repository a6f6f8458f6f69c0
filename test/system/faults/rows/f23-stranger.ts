import { createServer } from 'node:http'
import { once } from 'node:events'
import { until } from '../../../support/until.ts'
import type { Fault } from '../fault.ts'
import { lossWords } from '../support/losses.ts'
import { SERVICE } from '../support/package.ts'
import { more } from '../support/subject.ts'

export const stranger: Fault = {
  id: 'F23',
  name: 'a stranger has the port of a new instance',
  injected:
    'an upgrade to a version that never listens, while a stranger listens on its port and answers every probe, under load',
  expected:
    'the instance is not ready, since the listener is not of its group: no request reaches the stranger; rolled back',
  async run(trial) {
    const subject = await trial.subject()
    const small = { instances: 2, domains: 2 }
    await subject.deployed({ version: '1.0.0', ...small })
    const digest = await subject.upload({ version: '2.0.0', ...small, settings: { MODE: 'mute' } })
    let asked = 0
    let probed = 0
    const server = createServer((request, response) => {
      if (request.url === '/healthz') probed += 1
      else asked += 1
      response.end('I am somebody else\n')
    })
    trial.teardown(() => {
      server.close()
      server.closeAllConnections()
    })
    const load = await subject.load()
    const policy = { healthCheckRetryTimeout: '2s', healthCheckStableDuration: '1s', upgradeDomainTimeout: '6s' }
    const upgrade = subject.operate('upgrade', async idempotencyKey =>
      subject.client.upgrade(SERVICE, 'production', { package: digest, policy }, { idempotencyKey }),
    )
    const began = await until('a new one has begun', () =>
      subject.notes().find(({ what, version }) => what === 'began' && version === '2.0.0'),
    )
    server.listen(began.port, '127.0.0.1')
    await once(server, 'listening')
    trial.injected(`a stranger listens on ${began.port}`)
    const { outcome } = await upgrade
    await more(load)
    const losses = await load.finish()
    trial.check('it was rolled back', outcome === 'RolledBack')
    trial.check('the stranger was probed', probed > 0)
    trial.check('no request reached the stranger', asked === 0)
    trial.check('nothing was lost', losses.answered === losses.requests)
    return {
      seen: `${outcome}; the stranger answered ${probed} probes and got ${asked} requests; ${lossWords(losses)}`,
      losses,
    }
  },
}
