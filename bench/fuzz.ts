import { parseArgs } from 'node:util'
import { DIVERGENCES } from '../test/property/proxy/fuzz/divergences.ts'
import { fuzzAnswer, fuzzRequests, newTally, type Finding } from '../test/property/proxy/fuzz/fuzz.ts'
import { Prng } from '../test/simulation/prng.ts'

// Invents broken and borderline messages for as long as it is told to, and reads them with the proxy's parsers and with
// Node's. Ends with 1 and the octets at the first difference that nothing justifies.

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string', default: '1' } },
})
const until = performance.now() + Number(values.seconds) * 1000
const requests = newTally()
const answers = newTally()

async function look(): Promise<Finding | null> {
  // A seed per thousand messages of each kind: a finding is repeated within a second.
  for (let seed = Number(values.seed); performance.now() < until; seed++) {
    const random = new Prng(seed)
    for (let round = 0; round < 1000; round++) {
      const found = (await fuzzRequests(random, requests)) ?? (await fuzzAnswer(random, answers))
      if (found === null) continue
      console.log(`seed ${seed}, round ${round}: ${found.what}\n${JSON.stringify(found.text)}\n${found.detail}`)
      return found
    }
  }
  return null
}

const found = await look()
for (const [what, tally] of [
  ['requests', requests],
  ['answers', answers],
] as const) {
  let differing = 0
  for (const count of tally.divergences.values()) differing += count
  console.log(
    `${what}: ${tally.both} taken by both, ${tally.neither} by neither, ${differing} by one, as the table says`,
  )
}
for (const one of DIVERGENCES) {
  const count = (one.of === 'request' ? requests : answers).divergences.get(one) ?? 0
  console.log(`${String(count).padStart(8)}  ${one.of}, ${one.stricter} stricter: ${one.rule}`)
}
process.exitCode = found === null ? 0 : 1
