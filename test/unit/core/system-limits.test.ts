import t from 'tap'
import { limitWarnings, readSystemLimits, type SystemLimits } from '../../../src/core/system-limits.ts'

const AMPLE: SystemLimits = { openFiles: 65_536, backlog: 4096, ephemeralPorts: { from: 32_768, to: 60_999 } }
const PORTS = { from: 20_000, to: 29_999 }

t.test('what a load test would meet is said with what to do', async t => {
  t.strictSame(limitWarnings(AMPLE, PORTS), [])
  t.strictSame(limitWarnings({ openFiles: Infinity, backlog: null, ephemeralPorts: null }, PORTS), [])
  for (const [change, expected] of [
    [{ openFiles: 1024 }, /open 1024 files.*about 512 connections.*ulimit -n/],
    [{ backlog: 128 }, /at most 128 connections may wait.*somaxconn/],
    [{ ephemeralPorts: { from: 50_000, to: 50_999 } }, /from 1000 local ports.*ip_local_port_range/],
    [{ ephemeralPorts: { from: 10_000, to: 60_999 } }, /20000 to 29999.*10000 to 60999.*portRange/],
  ] as const) {
    const warnings = limitWarnings({ ...AMPLE, ...change }, PORTS)
    t.equal(warnings.length, 1)
    t.match(warnings[0], expected)
  }
})

t.test('this machine says what its limits are, or nothing', async t => {
  const { openFiles, backlog, ephemeralPorts } = readSystemLimits()
  t.ok(openFiles === null || openFiles > 0)
  t.ok(backlog === null || backlog > 0)
  t.ok(ephemeralPorts === null || ephemeralPorts.from < ephemeralPorts.to)
})
