import { randomFillSync } from 'node:crypto'

const POOL = 6144
/** Turned into text at once. A part of a text keeps all of it in memory, so it is short. */
const SLICE = 384

const pool = Buffer.allocUnsafeSlow(POOL)
let poolAt = POOL
let digits = ''
let digitsAt = 0

/** `count` random hexadecimal digits, 64 at most, lower-case. */
export function randomDigits(count: number): string {
  if (digitsAt + count > digits.length) refill()
  const from = digitsAt
  digitsAt += count
  return digits.slice(from, digitsAt)
}

function refill(): void {
  if (poolAt === POOL) {
    randomFillSync(pool)
    poolAt = 0
  }
  digits = pool.hexSlice(poolAt, poolAt + SLICE)
  digitsAt = 0
  poolAt += SLICE
}
