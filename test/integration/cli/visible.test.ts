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

t.test('a log is shown with its colours and nothing else on a terminal, and passed on whole into a pipe', async t => {
  const { api, begin } = await fabric(t)
  api.logPieces = [`${STEERING}\n`, 'progress\r\n']
  const shown = async (redraws: boolean, ...more: string[]): Promise<string> => {
    const { terminal, ended } = begin(['logs', 'web_IN_0', ...more], { redraws })
    t.equal(await ended, 0, terminal.stderr)
    return terminal.stdout
  }
  t.equal(await shown(true), `${visible(STEERING.replace('\r', ''))}\nprogress\n`)
  t.equal(await shown(false), `${STEERING}\nprogress\r\n`)
  const json = await shown(true, '--json')
  // oxlint-disable-next-line no-control-regex -- they are what must not be there
  t.notMatch(json, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/)
  t.equal(
    (JSON.parse(json.split('\n')[0] ?? '') as { line: string }).line,
    STEERING.split('\n')[0],
    'and means the same',
  )
})

t.test('names and labels are markup nowhere', async t => {
  const { api, url, run } = await fabric(t)
  const evil = '<script>alert(1)</script>\u001b[2J'
  api.change('guestbook', 'production', { label: evil, version: evil })
  // oxlint-disable-next-line no-control-regex -- it is what must not be there
  t.notMatch((await run('status')).stdout, /\u001b\[2J/)
  for (const path of [
    '/api',
    '/api/errors',
    '/',
    `/portal/${encodeURIComponent(evil)}`,
    `/${encodeURIComponent(evil)}`,
  ]) {
    const answer = await fetch(url + path, { headers: { accept: 'text/html', 'user-agent': evil.slice(0, 25) } })
    const text = await answer.text()
    const type = answer.headers.get('content-type') ?? ''
    t.equal(answer.headers.get('x-content-type-options'), 'nosniff', path)
    t.ok(!text.includes('<script>alert') || type.startsWith('application/problem+json'), `${path} (${type})`)
    if (type.startsWith('text/html')) t.match(answer.headers.get('content-security-policy'), /default-src 'none'/, path)
  }
})
