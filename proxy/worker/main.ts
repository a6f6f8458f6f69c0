import type { RoutingTable } from '../../src/contracts/routing.ts'
import { createLogger } from '../../src/core/logger.ts'
import { Sending } from '../connections/sending.ts'
import type { TcpHandle } from '../connections/tcp-handle.ts'
import { reportProcess } from '../metrics/process-metrics.ts'
import type { Mover } from './connections.ts'
import { DataPlane } from './data-plane.ts'
import { descriptorRoom } from './descriptors.ts'
import { Listeners } from './listeners.ts'
import { News } from './news.ts'
import type { FromWorker, ToWorker, WorkerStatus } from './protocol.ts'

/** How often counts are told where something changed: the most that a worker loses which dies without a word. */
const SPOOL_MS = 50
/** A port that is scanned or spoken to in the wrong protocol gives one line in this time. */
const INTAKE_LOG_MS = 10_000
const METRICS_MS = 2000
/** Once its time to leave is over: what is left may end in good order within this. */
const LAST_MS = 8000
/** Without a holder: finish what is open within this. */
const ORPHAN_DEADLINE_MS = 10_000

const log = createLogger('proxy-worker')
let stopping = false
let staged: RoutingTable | null = null
/** Connections on their way to another process. */
const moving = new Sending<FromWorker>(process)
const successor: Mover = {
  give: (address, handle) => moving.give({ type: 'moved', address }, handle),
  room: () => moving.room(),
}
const statuses = new News<FromWorker>(send)
const metrics = new News<FromWorker>(send)
/** A status that could not be sent was urgent: the next one is. */
let urgentLater = false
let onBye: () => void = () => {}
let isOrphan = false
/** A handle was given to listen on since the last `sync`. */
let listened = false

function send(message: FromWorker, sent: () => void = () => {}): void {
  // The channel may just have closed: 'disconnect' follows and ends this worker.
  if (process.connected) process.send?.(message, undefined, undefined, sent)
  else sent()
}

function status(): WorkerStatus {
  plane.inFlightChanged = false
  return { ...plane.status(), ledger: plane.ledgerNews() }
}

function sendStatus(urgent: boolean): void {
  const isUrgent = urgent || urgentLater
  urgentLater = !statuses.tell(() => ({ type: 'status', status: status(), urgent: isUrgent })) && isUrgent
}

function sendMetrics(): void {
  metrics.tell(() => ({ type: 'metrics', readings: plane.metrics.read() }))
}

function sendSynced(id: number): void {
  send({ type: 'synced', id, status: status() })
}

/** How many workers there are: they keep bounds together. */
const workers = Number(process.argv[2] ?? 1)
const accessLogPath = process.argv[3] ?? ''
const plane = new DataPlane(() => sendStatus(true), workers, {
  path: accessLogPath,
  onTrouble: problem => log.warn({ path: accessLogPath, problem }, 'access log'),
})
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
  await end()
}

async function leave(deadlineMs: number): Promise<void> {
  if (stopping || plane.isLeaving) return
  log.info({ connections: plane.connections }, 'worker leaving')
  listeners.closeAll()
  const until = performance.now() + deadlineMs
  do {
    await plane.leave(successor, until - performance.now())
    // The holder takes it for the last word about connections.
    await moving.none()
    // Connections of a predecessor may have been on their way here.
    send({ type: 'left' })
    await new Promise<void>(resolve => {
      onBye = resolve
    })
  } while (plane.connections > 0 && performance.now() < until)
  plane.endInOrder()
  await plane.close(LAST_MS)
  await end()
}

function orphaned(): void {
  if (isOrphan) return
  isOrphan = true
  moving.lost()
  void stop(ORPHAN_DEADLINE_MS, 'the holder is gone')
  // Between the levels of a swap nobody can say any more which side is right: neither is served.
  plane.shut()
}

async function end(): Promise<void> {
  await moving.none()
  send({ type: 'metrics', readings: plane.metrics.read() })
  const told = new Promise<void>(resolve => {
    send({ type: 'status', status: status(), urgent: false }, resolve)
  })
  // Nobody is left to be told.
  const alone = new Promise<void>(resolve => {
    process.once('disconnect', resolve)
  })
  await Promise.race([told, alone])
  process.exit(0)
}

process.on('message', (message: ToWorker, handle: unknown) => {
  switch (message.type) {
    case 'ticket-keys':
      plane.intake.terminators.useTicketKeys(Buffer.from(message.keys, 'base64'))
      break
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
      if (stopping || plane.isLeaving) break
      listeners.listenHandle(message.address, handle)
      listened = true
      break
    case 'connection':
      // Whatever comes with this message is one.
      plane.take(message.address, handle as TcpHandle)
      break
    case 'leave':
      void leave(message.deadlineMs)
      break
    case 'bye':
      onBye()
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
process.on('disconnect', orphaned)
// A terminal's Ctrl-C reaches every process; the holder decides when workers stop.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => {})
process.on('uncaughtException', error => {
  log.fatal({ error: error.stack }, 'worker failed')
  process.exit(1)
})

setInterval(() => {
  // Node does not tell while handles wait to be sent.
  if (!process.connected) orphaned()
  if (plane.ledger.changed || plane.inFlightChanged || urgentLater) sendStatus(false)
}, SPOOL_MS).unref()

setInterval(() => {
  const news = plane.intake.failures.news()
  if (news !== null) log.warn(news, 'connections that came to nothing before a request')
}, INTAKE_LOG_MS).unref()
reportProcess(plane.metrics)
setInterval(sendMetrics, METRICS_MS).unref()

send({ type: 'ready' })
