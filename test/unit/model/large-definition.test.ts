import t from 'tap'
import { loadDefinition } from '../../../src/model/load-definition.ts'

// Whoever may upload a package has its definition read by the controller, which does nothing else meanwhile: what takes
// time by the square of a file's length stands still for minutes at a megabyte.

const HEAD = 'name: x\nversion: 1.0.0\nroles:\n  web:\n    command: &c x\n'
const lines = (count: number, line: (n: number) => string): string =>
  Array.from({ length: count }, (_, n) => line(n)).join('')

/** Processor time, so that a machine with other work to do makes no difference. Far above what is needed. */
const MOST_MS = 6000

const CASES: { name: string; text: string; faults: number }[] = [
  { name: 'settings', text: `${HEAD}    settings:\n${lines(40_000, n => `      a${n}: 1.10\n`)}`, faults: 0 },
  { name: 'aliases', text: `${HEAD}    settings:\n${lines(30_000, n => `      a${n}: *c\n`)}`, faults: 0 },
  { name: 'repeated keys', text: `${HEAD}    settings:\n${lines(60_000, () => '      a: x\n')}`, faults: 100 },
  {
    name: 'clashing ports',
    text: `${HEAD}    endpoints:\n${lines(2000, n => `      e${n}: { protocol: http, port: ${1024 + n} }\n`)}`,
    faults: 1999,
  },
]

for (const { name, text, faults } of CASES) {
  t.test(`a large file is checked at once: ${name}`, async t => {
    const before = process.cpuUsage()
    const loaded = loadDefinition('service.yaml', text)
    const { user } = process.cpuUsage(before)
    t.equal('faults' in loaded ? loaded.faults.length : 0, faults)
    t.ok(user / 1000 < MOST_MS, `${Math.round(user / 1000)} ms`)
  })
}

t.test('an alias stands for the last anchor of its name before it', async t => {
  const text =
    'name: x\nversion: 1.0.0\nroles:\n  a: { command: &c one }\n  b: { command: *c }\n  d: { command: &c two }\n  e: { command: *c }\n'
  const loaded = loadDefinition('service.yaml', text)
  t.match(loaded, {
    definition: {
      roles: { a: { command: 'one' }, b: { command: 'one' }, d: { command: 'two' }, e: { command: 'two' } },
    },
  })
})
