import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { quantile } from '../../../../bench/report/table.ts'
import type { Fault } from '../fault.ts'
import { lossWords } from '../support/losses.ts'
import { more } from '../support/subject.ts'

const SECONDS = '12'
const MODES = {
  heads: ['-H', '-i', '2', '-t', 'GET', '-x', '24'],
  bodies: ['-B', '-i', '2', '-t', 'POST', '-s', '8192', '-x', '10'],
  readers: ['-X', '-w', '512', '-y', '1024', '-n', '5', '-z', '32', '-k', '3'],
} as const

export const slowClients: Fault = {
  id: 'P10',
  name: 'slow clients',
  injected:
    '150 slow heads, then 150 slow bodies, then 150 slow readers (slowhttptest -H, -B, -X), 12 s each, beside a normal load',
  expected: 'others are served all the time; the median and p99 of the load stay what they were; nothing of it is lost',
  needs: ['slowhttptest'],
  async run(trial) {
    const subject = await trial.subject()
    await subject.deployed({ version: '1.0.0', instances: 2 })
    const [vip] = await subject.vips()
    const load = await subject.load({ slowGets: 0, slowPosts: 0 })
    const window = (from: number): number[] => load.clients.requests.slice(from).map(({ start, end }) => end - start)
    await more(load, 500)
    const before = window(0)
    const seen = [`before: ${times(before)}`]
    for (const [name, flags] of Object.entries(MODES)) {
      trial.injected(`slow ${name}`)
      const from = load.clients.requests.length
      const url = `http://${vip?.host}:${vip?.port}/${name === 'readers' ? 'big?mib=0.25' : ''}`
      const words = ['-c', '150', '-r', '150', '-p', '3', '-l', SECONDS, ...flags, '-u', url]
      const { stdout } = await promisify(execFile)('slowhttptest', words, { maxBuffer: 1 << 26 })
      const during = window(from)
      trial.check(`${name}: service available`, !/service available:\S*\s+\S*NO/.test(stdout))
      // The machine is shared with the tool itself.
      trial.check(`${name}: the median has not moved by 50 ms`, quantile(during, 0.5) < quantile(before, 0.5) + 50)
      trial.check(`${name}: p99 has not moved by 250 ms`, quantile(during, 0.99) < quantile(before, 0.99) + 250)
      seen.push(`${name}: ${times(during)}`)
    }
    const losses = await load.finishUncounted()
    trial.check('nothing was lost', losses.answered === losses.requests)
    return { seen: `median/p99 ${seen.join('; ')}; ${lossWords(losses)}`, losses }
  },
}

function times(values: readonly number[]): string {
  return `${quantile(values, 0.5).toFixed(1)}/${quantile(values, 0.99).toFixed(1)} ms`
}
