import t from 'tap'
import { LogDestination } from '../../../src/core/log-destination.ts'

/** What a descriptor does at each write: takes so many bytes, or fails. */
function descriptor() {
  const file = { text: '', next: [] as (number | string)[], writes: 0 }
  const put = (bytes: Buffer): number => {
    file.writes += 1
    const what = file.next.shift() ?? bytes.length
    if (typeof what === 'string') throw Object.assign(new Error(what), { code: what })
    file.text += bytes.toString('utf8', 0, what)
    return Math.min(what, bytes.length)
  }
  return { file, put }
}

t.test('a line is written whole, in as many pieces as it takes', async t => {
  const { file, put } = descriptor()
  file.next = [3, 'EAGAIN', 1]
  new LogDestination('x', put).write('a line\n')
  t.equal(file.text, 'a line\n')
  t.equal(file.writes, 4)
})

t.test('without room lines are lost, without a word to who logs, and counted', async t => {
  const { file, put } = descriptor()
  const log = new LogDestination('x', put)
  log.write('first\n')
  file.next = ['ENOSPC', 2, 'ENOSPC']
  log.write('second\n')
  log.write('third\n')
  log.write('fourth\n')
  const lines = file.text.split('\n')
  t.equal(lines[0], 'first')
  t.equal(lines[1], '{"', 'what there was room for')
  t.match(JSON.parse(lines[2] ?? ''), { level: 40, name: 'x', lost: 2, error: 'ENOSPC' })
  t.strictSame(lines.slice(3), ['fourth', ''])
})

t.test('who takes nothing for half a second loses what comes', async t => {
  const { file, put } = descriptor()
  file.next = Array.from({ length: 1000 }, () => 'EAGAIN')
  const began = performance.now()
  new LogDestination('x', put).write('a line\n')
  t.equal(file.text, '')
  t.ok(file.writes < 100, `${file.writes} writes in ${performance.now() - began} ms`)
})
