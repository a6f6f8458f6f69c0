import { parentPort, workerData } from 'node:worker_threads'
import { closedLoop, openLoop } from './loops.ts'
import type { Running } from './loops.ts'
import type { LoadPlan } from './plan.ts'
import { Records } from './records.ts'
import { createWebSocketCounts, webSocketLoop } from './web-sockets.ts'

// Runs a load in a thread of its own, so that what the scenario does meanwhile does not delay it.
// The thread that starts it is load.ts, which passes a LoadPlan.
const plan: LoadPlan = workerData
const records = new Records()
const counts = createWebSocketCounts()
const running: Running[] = []
for (const vip of plan.vips) {
  const common = { vip, records, timeoutMs: plan.timeoutMs }
  for (const closed of plan.closed) running.push(closedLoop({ ...common, ...closed }))
  for (const open of plan.open) running.push(openLoop({ ...common, ...open }))
  running.push(webSocketLoop({ ...common, ...plan.webSockets, counts }))
}
parentPort?.once('message', () => {
  void Promise.all(running.map(async loop => loop.stop())).then(() => {
    parentPort?.postMessage({ records: records.columns(), webSockets: counts })
    parentPort?.close()
  })
})
