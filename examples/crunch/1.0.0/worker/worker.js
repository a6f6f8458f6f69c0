// Fetches a job, counts the primes up to its number, hands in the result, and again. It listens on nothing: the store
// is reached through the proxy, at ENDPOINT_STORE_JOBS.
import { setTimeout } from 'node:timers/promises'

const {
  ENDPOINT_STORE_JOBS: store = '127.0.0.1:8071',
  ROLE_INSTANCE_ID: worker = 'local',
  SETTING_PAUSE_MS = '200',
} = process.env
const idle = new AbortController()

/** What it has begun it hands in; an idle one leaves at once. */
process.on('SIGTERM', () => idle.abort())
process.on('SIGINT', () => idle.abort())

while (!idle.signal.aborted) {
  try {
    const { job } = await call('/take', { worker })
    if (job === null) await pause()
    else {
      await call('/done', { id: job.id, primes: countPrimes(job.upTo), worker })
      console.log(`${job.id}: primes up to ${job.upTo} counted`)
    }
  } catch (error) {
    // The store is on its way up, or down: the job stays there and is offered again.
    console.log(`store at ${store}: ${error.cause?.message ?? error.message}`)
    await pause()
  }
}

async function call(path, body) {
  const headers = { 'Content-Type': 'application/json' }
  const response = await fetch(`http://${store}${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
  if (!response.ok) throw new Error(`${path} answered ${response.status}`)
  return response.json()
}

async function pause() {
  await setTimeout(Number(SETTING_PAUSE_MS), undefined, { signal: idle.signal }).catch(() => {})
}

function countPrimes(upTo) {
  const composite = new Uint8Array(upTo + 1)
  let count = 0
  for (let n = 2; n <= upTo; n++) {
    if (composite[n] === 1) continue
    count++
    for (let multiple = n * n; multiple <= upTo; multiple += n) composite[multiple] = 1
  }
  return count
}
