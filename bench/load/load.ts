import { Worker } from 'node:worker_threads'
import type { LoadPlan } from './plan.ts'
import { Records } from './records.ts'
import type { RecordColumns } from './records.ts'
import type { WebSocketCounts } from './web-sockets.ts'

export interface LoadResult {
  readonly records: Records
  readonly webSockets: WebSocketCounts
}

export interface Load {
  /** Ends the load after what it has begun, and answers all it recorded. */
  stop(): Promise<LoadResult>
  terminate(): Promise<void>
}

/** Starts a load in its own thread; it goes on until it is stopped. */
export function startLoad(plan: LoadPlan): Load {
  const worker = new Worker(new URL('./worker.js', import.meta.url), {
    workerData: plan,
    // Nothing inherited: a loader of the starting process (a test runner's) need not work in a thread.
    execArgv: [],
  })
  const result = new Promise<LoadResult>((resolve, reject) => {
    worker.once('message', (message: { records: RecordColumns; webSockets: WebSocketCounts }) => {
      const records = new Records()
      records.addColumns(message.records)
      resolve({ records, webSockets: message.webSockets })
    })
    worker.once('error', reject)
    worker.once('exit', code => reject(new Error(`the load ended by itself (${code})`)))
  })
  // Heard by stop(); until then a failure waits there.
  result.catch(() => {})
  return {
    async stop() {
      worker.postMessage('stop')
      return result
    },
    async terminate() {
      await worker.terminate()
    },
  }
}
