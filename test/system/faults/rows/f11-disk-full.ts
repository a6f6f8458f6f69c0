import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '../../../support/until.ts'
import { VipswapError } from '../../../../src/core/errors.ts'
import type { Fault } from '../fault.ts'
import { boundOf } from '../support/bound.ts'
import { lossWords } from '../support/losses.ts'
import { SERVICE } from '../support/package.ts'
import { more } from '../support/subject.ts'

const SIZE_MIB = 96
/** A look at the disk, the end of one controller and the start of the next; about a second on a quiet machine. */
const ROOM_MS = 2000

export const diskFull: Fault = {
  id: 'F11',
  name: 'the disk is full',
  injected: `the data folder, on a tmpfs of ${SIZE_MIB} MiB, is filled to its last byte, under load; then there is room again`,
  expected:
    'changes are refused and nothing is acknowledged, reads are answered; traffic is untouched; changes work again within 2 s of there being room (or 12 starts of a bare Node)',
  needs: ['root'],
  async run(trial) {
    const disk = join(trial.folder(), 'm')
    mkdirSync(disk)
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE_MIB}m`, 'tmpfs', disk])
    trial.teardown(() => execFileSync('umount', ['-l', disk]))
    const subject = await trial.subject({ data: join(disk, 'd') })
    await subject.deployed({ version: '1.0.0', instances: 2, domains: 2 })
    const pids = await subject.pids()
    const load = await subject.load()
    const ballast = join(disk, 'ballast')
    const { bavail, bsize } = statfsSync(disk)
    trial.injected('the disk is full')
    fill(ballast, bavail * bsize)
    const codes: string[] = []
    for (let n = 0; n < 3; n += 1) {
      try {
        await subject.client.mark(SERVICE, { label: `m${n}` })
        codes.push('accepted')
      } catch (error) {
        codes.push(error instanceof VipswapError ? error.code : String(error))
      }
    }
    try {
      await subject.upload({ version: '2.0.0', instances: 2, domains: 2 })
      codes.push('accepted')
    } catch (error) {
      codes.push(error instanceof VipswapError ? error.code : String(error))
    }
    await more(load, 200)
    const read = await subject.client.service(SERVICE).then(
      ({ slots }) => slots.production !== null,
      () => false,
    )
    trial.check('reads are answered', read)
    trial.check('an upload was refused', codes.at(-1) !== 'accepted')
    rmSync(ballast)
    trial.injected('there is room again')
    let roomMs = performance.now()
    await until(
      'changes work again',
      async () => {
        await subject.client.mark(SERVICE, { label: 'room' })
        return true
      },
      { timeoutMs: 30_000, intervalMs: 100 },
    )
    roomMs = performance.now() - roomMs
    const boundMs = await boundOf(ROOM_MS)
    trial.check(`changes work within ${boundMs} ms of there being room`, roomMs < boundMs)
    const labels = (await subject.client.marks(SERVICE)).map(({ label }) => label)
    const acknowledged = codes.slice(0, 3).flatMap((code, n) => (code === 'accepted' ? [`m${n}`] : []))
    trial.check(
      'what was acknowledged is there',
      acknowledged.every(label => labels.includes(label)),
    )
    const digest = await subject.upload({ version: '2.0.0', instances: 2, domains: 2 })
    trial.check('the same processes served', JSON.stringify([...(await subject.pids())]) === JSON.stringify([...pids]))
    const { outcome } = await subject.operate('upgrade', async idempotencyKey =>
      subject.client.upgrade(SERVICE, 'production', { package: digest, mode: 'auto' }, { idempotencyKey }),
    )
    trial.check('an upgrade succeeds', outcome === 'Succeeded')
    const losses = await load.finish()
    trial.check('nothing was lost', losses.answered === losses.requests)
    return {
      seen: `marks and an upload: ${codes.join(', ')}; changes again after ${Math.round(roomMs)} ms; ${lossWords(losses)}`,
      losses,
    }
  },
}

/** Until not one byte more fits. */
function fill(file: string, about: number): void {
  for (let size = 1 << 20; size >= 1; size = Math.floor(size / 16)) {
    const piece = Buffer.alloc(size)
    for (let written = 0; written <= about + size; written += size) {
      try {
        writeFileSync(file, piece, { flag: 'a' })
      } catch {
        break
      }
    }
  }
}
