import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import t from 'tap'
import { projectRoot } from '../../../bench/system/packages.ts'

t.test(
  'controller, proxy and agent say how they are called, and end with the status of a wrong command line',
  async t => {
    for (const verb of ['controller', 'proxy', 'agent']) {
      const child = spawn(process.execPath, [join(projectRoot(), 'dist/src/cli/main.js'), verb, '--nonsense'])
      let said = ''
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (text: string) => {
          said += text
        })
      }
      const [code] = (await once(child, 'close')) as [number | null] // the event's documented arguments
      t.equal(code, 2, verb)
      t.match(said, /Unknown option '--nonsense'.*usage: /s, verb)
      t.notMatch(said, / {4}at .*parse_args/, `${verb}: a usage, no stack`)
    }
  },
)
