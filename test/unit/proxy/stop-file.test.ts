import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { identify } from '../../../src/core/process-identity.ts'
import { StopFile } from '../../../proxy/holder/stop-file.ts'
import { tempDir } from '../../support/temp.ts'

void t.test('a proxy ends by the file once up and the agents of its machine are gone, and not before', t => {
  const data = tempDir(t)
  const run = tempDir(t)
  const pids = join(data, 'run', 'pids')
  const here = JSON.stringify(identify(process.pid))
  const gone = JSON.stringify({ ...identify(process.pid), startTime: '1' })
  const says = (name: string, text: string): void => writeFileSync(join(pids, `${name}.json`), text)
  const file = new StopFile(run, data)
  t.notOk(file.isMine, 'nobody wants it to stop')

  writeFileSync(join(run, 'stop'), '')
  t.notOk(file.isMine, 'its parent is there, and nothing says that this is not up')
  mkdirSync(pids, { recursive: true })
  for (const name of ['up', 'node-0', 'node-1', 'proxy-0']) says(name, here)
  t.notOk(file.isMine, 'up will send the signal')
  says('up', gone)
  t.notOk(file.isMine, 'agents need somebody who serves')
  says('node-0', gone)
  t.notOk(file.isMine, 'each of them')
  says('node-1', '{"half')
  t.ok(file.isMine, 'who cannot be told is nobody')
  says('node-1', gone)
  t.ok(file.isMine)
  rmSync(join(run, 'stop'))
  t.notOk(file.isMine)
  t.end()
})
