import { execFile } from 'node:child_process'
import { constants } from 'node:os'
import { promisify } from 'node:util'
import t from 'tap'
import { dial, dialError } from '../../../proxy/connections/dial.ts'

const HANDLER = '{ onBytes() {}, onEnd() {}, onDrain() {}, onClose() {} }'

/** Dials where no descriptor is left, and tells by `isOwnLimit` whose fault that is. */
const WITHOUT_DESCRIPTORS = `
  const [dialling, outliers] = await Promise.all(process.argv.slice(1).map(file => import(file)))
  const { openSync } = await import('node:fs')
  try { for (;;) openSync('/dev/null', 'r') } catch {}
  dialling.dial('127.0.0.1', 9, ${HANDLER}, {
    onOpen() { process.exit(1) },
    onFail(error) { process.stdout.write(JSON.stringify([error.code, outliers.isOwnLimit(error)])) },
  })`

void t.test('an error of a dial has the system’s name as its code', async t => {
  const error = await new Promise<Error>((resolve, reject) => {
    const nobody = { onBytes: () => {}, onEnd: () => {}, onDrain: () => {}, onClose: () => {} }
    // Nothing listens on port 1.
    dial('127.0.0.1', 1, nobody, { onOpen: () => reject(new Error('open')), onFail: resolve })
  })
  t.match(error, { code: 'ECONNREFUSED' })
  t.match(dialError(-constants.errno.ETIMEDOUT), { code: 'ETIMEDOUT' })
  t.notOk('code' in dialError(0))
})

void t.test('want of descriptors is told from an instance that takes no connections', async t => {
  const files = ['connections/dial.js', 'balancing/outliers.js'].map(
    file => new URL(`../../../proxy/${file}`, import.meta.url).href,
  )
  const node = [process.execPath, '--input-type=module', '-e', WITHOUT_DESCRIPTORS, ...files]
  const { stdout } = await promisify(execFile)('sh', ['-c', 'ulimit -n 64 && exec "$@"', 'sh', ...node], {
    env: { PATH: process.env['PATH'] },
  })
  t.same(JSON.parse(stdout), ['EMFILE', true])
})
