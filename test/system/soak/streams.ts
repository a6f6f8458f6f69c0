import { get } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { WebSocket } from 'ws'
import type { Vip } from '../../../bench/load/plan.ts'
import type { StreamLine } from '../../checkers/lines.ts'
import { timeNow, type Recorder } from '../faults/history/recorder.ts'

/** Streams that stay open as long as they are let, each opened again as a new one once it has ended. */
export interface Streams {
  /** Messages and events that came as they should. */
  received(): number
  stop(): Promise<void>
}

type End = Pick<StreamLine, 'deployment' | 'instance' | 'how'>

const MESSAGE_MS = 200
const AGAIN_MS = 100

/** One WebSocket and one event stream for each address; an end that is not ours is recorded. */
export function startStreams(recorder: Recorder, vips: readonly Vip[]): Streams {
  const ended = new AbortController()
  let received = 0
  const heard = (): void => {
    received += 1
  }
  const keep = async (kind: StreamLine['kind'], vip: Vip, open: typeof webSocket): Promise<void> => {
    while (!ended.signal.aborted) {
      const start = timeNow()
      const end = await open(vip, ended.signal, heard)
      if (ended.signal.aborted) return
      recorder.add({ type: 'stream', kind, vip: vip.name, start, end: timeNow(), ...end })
      await delay(AGAIN_MS)
    }
  }
  const running = vips.flatMap(vip => [keep('websocket', vip, webSocket), keep('events', vip, eventStream)])
  return {
    received: () => received,
    async stop() {
      ended.abort()
      await Promise.all(running)
    },
  }
}

type Fields = Readonly<Record<string, string | string[] | undefined>>

function whose(headers: Fields): Omit<End, 'how'> {
  const field = (name: string): string => String(headers[name] ?? '')
  return { deployment: field('x-deployment'), instance: field('x-instance') }
}

/** Every message must come back, once and in order, from the same instance. */
async function webSocket(vip: Vip, stop: AbortSignal, heard: () => void): Promise<End> {
  const socket = new WebSocket(`ws://${vip.host}:${vip.port}/socket`, { perMessageDeflate: false })
  let from: Omit<End, 'how'> = { deployment: '', instance: '' }
  let how = ''
  let opened = false
  const waiting: string[] = []
  const timer = setInterval(() => {
    if (socket.readyState !== WebSocket.OPEN) return
    const text = `message ${timeNow()}`
    waiting.push(text)
    socket.send(text)
  }, MESSAGE_MS)
  socket.on('upgrade', response => {
    opened = true
    from = whose(response.headers)
  })
  socket.on('message', data => {
    // Each answer begins with who gives it.
    const [instance = '', ...words] = Buffer.isBuffer(data) ? data.toString().split(' ') : []
    if (words.join(' ') !== waiting.shift()) how = 'corrupt'
    else heard()
    from = { ...from, instance }
  })
  socket.on('error', () => {
    if (!opened) how = 'refused'
  })
  const close = (): void => socket.terminate()
  stop.addEventListener('abort', close)
  const code = await new Promise<number>(resolve => {
    socket.on('close', resolve)
  })
  stop.removeEventListener('abort', close)
  clearInterval(timer)
  return { ...from, how: how === '' ? `closed ${code}` : how }
}

/** Every event must come, in order, from the same instance. */
async function eventStream(vip: Vip, stop: AbortSignal, heard: () => void): Promise<End> {
  return new Promise(resolve => {
    let next = 0
    const request = get({ host: vip.host, port: vip.port, path: '/events', agent: false, signal: stop })
    request.on('error', () => resolve({ deployment: '', instance: '', how: 'refused' }))
    request.on('response', response => {
      const from = whose(response.headers)
      const end = (how: string): void => resolve({ ...from, how })
      let rest = ''
      if (response.statusCode !== 200) end('refused')
      response.setEncoding('utf8').on('data', (text: string) => {
        const events = (rest + text).split('\n\n')
        rest = events.pop() ?? ''
        for (const event of events) {
          if (event !== `data: ${from.instance} ${next}`) end('corrupt')
          else heard()
          next += 1
        }
      })
      response.on('error', () => end('cut'))
      response.on('end', () => end('ended'))
    })
  })
}
