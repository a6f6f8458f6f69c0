import { connect, type Socket } from 'node:net'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { descendants } from '../../../../bench/system/processes.ts'
import type { Vip } from '../../../../bench/load/plan.ts'
import { pidOf } from '../../support/system.ts'
import type { Fault } from '../fault.ts'
import { residentMiB } from '../support/readings.ts'
import type { Trial } from '../support/trial.ts'

const BOUND_MIB = 96
const CHUNKS = 1_000_000

export const memoryBounds: Fault = {
  id: 'P11',
  name: 'what could fill memory',
  injected: `20 readers that stop in an answer of 256 MiB, a field of 1 MiB, 1000 interim answers, ${CHUNKS} chunks of one byte both ways`,
  expected: `the worker grows by less than ${BOUND_MIB} MiB; the field is refused with 431; after 100 interim answers 502; chunks are passed on whole`,
  async run(trial) {
    const subject = await trial.subject({ nodes: 1 })
    await subject.deployed({ version: '1.0.0', instances: 1 })
    const [vip] = await subject.vips()
    if (vip === undefined) throw new Error('no address')
    const [worker = 0] = descendants(pidOf(subject.system, 'proxy-0')).map(({ pid }) => pid)
    const before = residentMiB(worker)
    let most = before
    const watching = setInterval(() => (most = Math.max(most, residentMiB(worker))), 20)
    trial.teardown(() => clearInterval(watching))

    const readers = await Promise.all(Array.from({ length: 20 }, async () => begun(trial, vip, get('/big?mib=256'))))
    for (const socket of readers) socket.pause()
    // For so long they take nothing.
    await delay(1500)
    const slow = most
    for (const socket of readers) socket.destroy()

    const field = await answerOf(await begun(trial, vip, get('/', `X-Long: ${'a'.repeat(1 << 20)}\r\n`)))
    const status = /^HTTP\/1\.1 (\d+)/.exec(field)?.[1]
    trial.check('the field is refused with 431', status === '431')

    const interim = await answerOf(await begun(trial, vip, get('/interim?n=1000')))
    const passed = interim.split('HTTP/1.1 103').length - 1
    trial.check('100 interim answers, then 502', passed === 100 && interim.includes('HTTP/1.1 502 '))

    const down = await fetch(`http://${vip.host}:${vip.port}/chunks?n=${CHUNKS}`)
    trial.check('every chunk of the answer came', (await down.arrayBuffer()).byteLength === CHUNKS)

    const up = await begun(
      trial,
      vip,
      `POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n`,
    )
    const piece = Buffer.from('1\r\nx\r\n'.repeat(10_000))
    for (let n = 0; n < CHUNKS / 10_000; n += 1) if (!up.write(piece)) await once(up, 'drain')
    up.write('0\r\n\r\n')
    const echoed = await answerOf(up)
    const came = echoed.length - echoed.indexOf('\r\n\r\n') - 4
    trial.check(`every chunk of the request came (${came}, ${echoed.slice(0, 40)})`, came === CHUNKS)
    clearInterval(watching)
    trial.check(`grown by less than ${BOUND_MIB} MiB`, most - before < BOUND_MIB)
    return {
      seen: `worker ${before} MiB, ${slow} MiB with slow readers, ${most} MiB at most; the field: ${status}; ${passed} interim answers`,
    }
  },
}

function get(target: string, fields = ''): string {
  return `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${fields}\r\n`
}

async function begun(trial: Trial, { host, port }: Vip, text: string): Promise<Socket> {
  const socket = connect({ host, port })
  trial.teardown(() => socket.destroy())
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  socket.write(text)
  return socket
}

async function answerOf(socket: Socket): Promise<string> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(socket, 'close')
  return Buffer.concat(chunks).toString('latin1')
}
