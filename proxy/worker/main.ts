import type { RoutingTable } from '../../src/contracts/routing.ts'
import { createLogger } from '../../src/core/logger.ts'
import { DataPlane } from './data-plane.ts'
import { descriptorRoom } from './descriptors.ts'
import { Listeners } from './listeners.ts'
import type { FromWorker, ToWorker } from './protocol.ts'

const SPOOL_MS = 50
/** Without a holder: finish what is open within this. */
const ORPHAN_DEADLINE_MS = 10_000

const log = createLogger('proxy-worker')
let stopping = false
let staged: RoutingTable | null = null
/** A handle was given to listen on since the last `sync`. */
let listened = false

function send(message: FromWorker): void {
  // The channel may just have closed: 'disconnect' follows and ends this worker.
  if (process.connected) process.send?.(message, undefined, undefined, () => {})
}

function sendStatus(urgent: boolean): void {
  plane.ledger.changed = false
  plane.inFlightChanged = false
  send({ type: 'status', status: plane.status(), urgent })
}

function sendSynced(id: number): void {
  plane.ledger.changed = false
  plane.inFlightChanged = false
  send({ type: 'synced', id, status: plane.status() })
}

const plane = new DataPlane(() => sendStatus(true))
const listeners = new Listeners(
  plane,
  {
    onFailed: (address, code) => send({ type: 'listen-failed', address, code }),
    onRoom: () => send({ type: 'listen-again' }),
  },
  descriptorRoom(),
)

async function stop(deadlineMs: number, reason: string): Promise<void> {
  if (stopping) return
  stopping = true
  log.info({ reason, connections: plane.connections }, 'worker stopping')
  listeners.closeAll()
  await plane.close(deadlineMs)
  sendStatus(false)
  // Lets the last status leave.
  setTimeout(() => process.exit(0), 10)
}

process.on('message', (message: ToWorker, handle: unknown) => {
  switch (message.type) {
    case 'apply':
      plane.apply(message.table)
      break
    case 'stage':
      staged = message.table
      break
    case 'prepare':
      if (staged === null) break
      plane.prepare(staged)
      send({ type: 'prepared', attempt: message.attempt })
      break
    case 'commit':
      staged = null
      send({ type: 'released', heldMs: plane.commit() })
      break
    case 'abort':
      plane.abort()
      break
    case 'listen':
      if (stopping) break
      listeners.listenHandle(message.address, handle)
      listened = true
      break
    case 'unlisten':
      listeners.close(message.address)
      break
    case 'sync':
      // A failed listen is told by a later tick; this must come after it.
      if (listened) setImmediate(sendSynced, message.id)
      else sendSynced(message.id)
      listened = false
      break
    case 'stop':
      void stop(message.deadlineMs, 'told to')
      break
  }
})
process.on('disconnect', () => {
  void stop(ORPHAN_DEADLINE_MS, 'the holder is gone')
  // Between the levels of a swap nobody can say any more which side is right: neither is served.
  plane.shut()
})
// A terminal's Ctrl-C reaches every process; the holder decides when workers stop.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => {})
process.on('uncaughtException', error => {
  log.fatal({ error: error.stack }, 'worker failed')
  process.exit(1)
})

setInterval(() => {
  if (plane.ledger.changed || plane.inFlightChanged) sendStatus(false)
}, SPOOL_MS).unref()

send({ type: 'ready' })
