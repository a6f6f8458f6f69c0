import { get, type IncomingMessage } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { descendants } from '../../../../bench/system/processes.ts'
import type { Vip } from '../../../../bench/load/plan.ts'
import { pidOf } from '../../support/system.ts'
import type { Fault } from '../fault.ts'
import { lossWords } from '../support/losses.ts'
import { residentMiB } from '../support/readings.ts'
import type { Trial } from '../support/trial.ts'

const MIB = 1024
/** Of what the worker holds for it: buffers of ours and of its sockets. */
const BOUND_MIB = 64
/** So long it takes next to nothing; then all it can. */
const SLOW_MS = 3000
const SIP_BYTES = 16 * 1024
const SIP_MS = 20

export const gigabyte: Fault = {
  id: 'F17.gigabyte',
  name: 'a gigabyte to a slow reader',
  injected: `an answer of ${MIB} MiB to a reader that takes 16 KiB every ${SIP_MS} ms for ${SLOW_MS / 1000} s, then all it can, under load`,
  expected: `it comes whole; the worker grows by less than ${BOUND_MIB} MiB; all others are answered`,
  async run(trial) {
    const subject = await trial.subject({ nodes: 1 })
    await subject.deployed({ version: '1.0.0', instances: 2 })
    const [vip] = await subject.vips()
    if (vip === undefined) throw new Error('no address')
    const load = await subject.load()
    const [worker = 0] = descendants(pidOf(subject.system, 'proxy-0')).map(({ pid }) => pid)
    const before = residentMiB(worker)
    let most = before
    const watching = setInterval(() => (most = Math.max(most, residentMiB(worker))), 20)
    trial.teardown(() => clearInterval(watching))
    const answer = await begun(trial, vip)
    trial.injected('a slow reader')
    const slowly = await sip(answer)
    const slow = most
    const began = performance.now()
    const { bytes, foreign } = await drain(answer)
    const seconds = (performance.now() - began) / 1000
    clearInterval(watching)
    const whole = slowly.bytes + bytes
    trial.check(`it came whole (${whole} bytes)`, answer.complete && whole === MIB * 1024 * 1024)
    trial.check('nothing else was in it', !foreign && !slowly.foreign)
    trial.check(`grown by less than ${BOUND_MIB} MiB (${most - before})`, most - before < BOUND_MIB)
    const losses = await load.finishUncounted()
    trial.check('nothing was lost', losses.answered === losses.requests)
    const rate = Math.round(bytes / 1024 / 1024 / seconds)
    return {
      seen: `worker ${before} MiB, ${slow} MiB while it was slow, ${most} MiB at most; the rest at ${rate} MiB/s; ${lossWords(losses)}`,
      losses,
    }
  },
}

async function begun(trial: Trial, { host, port }: Vip): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const asked = get({ host, port, path: `/big?mib=${MIB}`, agent: false }, answer => {
      answer.pause()
      resolve(answer)
    })
    asked.on('error', reject)
    trial.teardown(() => asked.destroy())
  })
}

interface Taken {
  bytes: number
  /** Something that the instance did not send. */
  foreign: boolean
}

const SENT = Buffer.alloc(1 << 20, 'b')

function isSent(piece: Buffer): boolean {
  return piece.equals(SENT.subarray(0, piece.length))
}

async function sip(answer: IncomingMessage): Promise<Taken> {
  const taken = { bytes: 0, foreign: false }
  const until = performance.now() + SLOW_MS
  while (performance.now() < until) {
    const piece = answer.read(SIP_BYTES) as Buffer | null
    if (piece !== null) {
      taken.bytes += piece.length
      taken.foreign ||= !isSent(piece)
    }
    await delay(SIP_MS)
  }
  return taken
}

async function drain(answer: IncomingMessage): Promise<Taken> {
  const taken = { bytes: 0, foreign: false }
  for await (const piece of answer as AsyncIterable<Buffer>) {
    taken.bytes += piece.length
    taken.foreign ||= !isSent(piece)
  }
  return taken
}
