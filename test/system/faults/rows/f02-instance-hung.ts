import { until } from '../../../support/until.ts'
import type { Fault } from '../fault.ts'
import { timeNow } from '../history/recorder.ts'
import { lossWords } from '../support/losses.ts'
import { more } from '../support/subject.ts'

const RESPONSE_MS = 2000

export const instanceHung: Fault = {
  id: 'F2',
  name: 'an instance hangs',
  injected: 'SIGSTOP of one of four instances under load, its port still accepting; SIGCONT 3 s after it was noticed',
  expected:
    'out of the table after 3 failed probes of 0.5 s; requests on it end in 504 at the time-out of 2 s; back only after a good probe',
  async run(trial) {
    const subject = await trial.subject()
    await subject.deployed({
      version: '1.0.0',
      endpoint: `{ protocol: http, port: 0, timeouts: { response: ${RESPONSE_MS}ms } }`,
      probe: '{ path: /healthz, interval: 200ms, timeout: 500ms, unhealthy: 3 }',
    })
    const load = await subject.load()
    const victim = 'web_IN_2'
    const stoppedAt = timeNow()
    await subject.signal(victim, 'SIGSTOP')
    const out = async (): Promise<boolean> => (await subject.instance(victim)).routing !== 'in'
    await until('it is out of the table', out, { timeoutMs: 20_000, intervalMs: 20 })
    const outAt = timeNow()
    await more(load, 150)
    const { pid } = await subject.instance(victim)
    await subject.signal(victim, 'SIGCONT')
    await until('it is back', async () => !(await out()))
    const continued = (await subject.instance(victim)).pid === pid
    await more(load, 100)
    const losses = await load.finish()
    const lost = load.clients.requests.filter(({ outcome }) => outcome !== 'ok')
    trial.check('out within 5 s', outAt - stoppedAt < 5000)
    trial.check(
      'what was lost was on it, and was answered 504',
      lost.every(({ start, status }) => status === 504 && start < outAt),
    )
    trial.check(
      '504 came at the time-out',
      lost.every(({ start, end }) => end - start < RESPONSE_MS + 1000),
    )
    trial.check('each client was lost on it once at most', lost.length <= 8)
    const seen = `out after ${Math.round(outAt - stoppedAt)} ms; ${lossWords(losses)}`
    return { seen: `${seen}; ${continued ? 'the same process' : 'another process'} came back`, losses }
  },
}
