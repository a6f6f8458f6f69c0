import { until } from '../../../support/until.ts'
import type { Fault } from '../fault.ts'
import { frontedBy } from '../support/fronted.ts'
import { startEchoServer } from '../support/echo-server.ts'
import { lossWords } from '../support/losses.ts'
import { startShim, type ShimMode } from '../support/shim.ts'
import { more } from '../support/subject.ts'

const RESPONSE_MS = 1000

/** One of two backends is behind a network that does this; then it is well again. */
function badNetwork(mode: ShimMode, injected: string, expected: string, judge: 'none-lost' | 'bounded'): Fault {
  return {
    id: `F17.${mode}`,
    name: `the network before a backend: ${mode}`,
    injected: `${injected}, before one of two backends, under load; then it is well again`,
    expected,
    async run(trial) {
      const shim = await startShim(trial, await startEchoServer(trial, 'a'))
      const other = await startEchoServer(trial, 'b')
      const subject = await frontedBy(trial, [shim.port, other], {
        endpoint: `{ protocol: http, port: 0, timeouts: { response: ${RESPONSE_MS}ms } }`,
        role: ['ejection: { failures: 3, base: 1s }'],
      })
      const load = await subject.load({ mixed: 6, slowGets: 0, slowPosts: 0 })
      trial.injected(`the network is ${mode}`)
      shim.mode = mode
      await more(load, 600)
      shim.mode = 'pass'
      trial.injected('the network is well')
      const before = load.clients.requests.length
      await until(
        'it is used again',
        () => load.clients.requests.slice(before).some(({ instance, outcome }) => instance === 'a' && outcome === 'ok'),
        { timeoutMs: 20_000 },
      )
      await more(load, 100)
      const losses = await load.finish()
      const lost = load.clients.requests.filter(({ outcome }) => outcome !== 'ok')
      trial.check(
        'no answer was wrong or looked whole',
        lost.every(({ outcome }) => outcome !== 'corrupt'),
      )
      if (judge === 'none-lost') trial.check('nothing was lost', lost.length === 0)
      trial.check(
        'each loss was told in time',
        lost.every(({ start, end }) => end - start < RESPONSE_MS + 1000),
      )
      trial.check('few were lost before it was passed over', lost.length < 60)
      return { seen: lossWords(losses), losses }
    },
  }
}

export const swallowed = badNetwork(
  'swallow',
  'connections that are taken, and nothing comes back',
  '504 at the time-out, then it is passed over and tried now and then; what goes to the other is answered',
  'bounded',
)
export const trickled = badNetwork(
  'trickle',
  'answers of 16 bytes at a time, 20 ms apart',
  'slow, and whole; nothing is lost',
  'none-lost',
)
export const cutOff = badNetwork(
  'cut',
  'connections reset in the middle of an answer',
  'GETs are sent elsewhere, POSTs answered 502; nothing looks whole that is not; then it is passed over',
  'bounded',
)
