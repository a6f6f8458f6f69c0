import t from 'tap'
import { visible } from '../../../src/cli/print/visible.ts'
import { fabric } from './rig.ts'

// What an instance answers to its probe is shown to operators: it must not steer their terminals.

const STEERING = 'down \u001b]0;title\u0007\u001b[2J\u009b1A\r\nsecond line \u001b[31mred\u001b[0m'

t.test('only colours, tabs and line feeds pass', async t => {
  t.equal(visible(STEERING), 'down \ufffd]0;title\ufffd\ufffd[2J\ufffd1A\ufffd\nsecond line \u001b[31mred\u001b[0m')
  t.equal(visible('● é 你\t\n'), '● é 你\t\n')
})

t.test('status shows what a probe was answered on one line, and moves no cursor', async t => {
  const { api, run } = await fabric(t)
  const instances = api.deployment('guestbook', 'production')?.instances ?? []
  api.change('guestbook', 'production', { instances: instances.map(each => ({ ...each, detail: STEERING })) })
  const { stdout } = await run('status')
  t.match(stdout, /down .*second line/)
  // oxlint-disable-next-line no-control-regex -- they are what must not be there
  t.notMatch(stdout, /\u001b(?!\[[\d;]*m)|[\u0007\u009b\r]/)
  const json = await run('status', '--json')
  t.ok(json.stdout.includes(String.raw`\u001b]0;title\u0007`), 'a program gets it as it was')
})
