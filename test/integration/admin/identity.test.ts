import { PassThrough } from 'node:stream'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { buildAdmin } from '../../../src/admin/server.ts'
import { FakeController } from './fake-controller.ts'

const SWAP = '/v1/services/guestbook/swap'

function withLog(t: Test, token?: string) {
  const api = new FakeController()
  api.addService('guestbook', { production: '1.0.0', staging: '1.5.0' })
  const sink = new PassThrough()
  const lines: Record<string, unknown>[] = []
  sink.on('data', (text: Buffer) => {
    for (const line of text.toString().trim().split('\n')) lines.push(JSON.parse(line) as Record<string, unknown>)
  })
  const { app, close } = buildAdmin({ api, port: 0, log: pino({}, sink), ...(token === undefined ? {} : { token }) })
  t.teardown(close)
  const post = async (headers: Record<string, string> = {}) =>
    app.inject({ method: 'POST', url: SWAP, headers: { host: 'localhost', ...headers } })
  return { api, lines, post }
}

t.test('a command carries who calls: the name of the token, or local', async t => {
  const open = withLog(t)
  t.equal((await open.post()).statusCode, 202)
  t.equal(open.api.commands[0]?.by, 'local')

  const { api, post } = withLog(t, '# who may\nalice s3cret-a\n\nrobot s3cret-r\ns3cret-unnamed\n')
  for (const [token, by] of [
    ['s3cret-a', 'alice'],
    ['s3cret-r', 'robot'],
    ['s3cret-unnamed', 'token'],
  ] as const) {
    const answer = await post({ authorization: `Bearer ${token}` })
    t.equal(answer.statusCode, 202)
    t.equal(api.commands.at(-1)?.by, by)
    t.equal(api.operation(answer.json<{ operationId: string }>().operationId)?.by, by)
  }
  t.equal((await post({ authorization: 'Bearer alice' })).statusCode, 401, 'a name is no token')
  t.equal((await post()).statusCode, 401)
  t.equal(api.commands.length, 3)
})

t.test('a token file with a line that is neither is refused', async t => {
  t.throws(() => withLog(t, 'a b c'), { code: 'usage' })
})

t.test(
  'X-Request-ID comes back and stands in the log lines of the call; what could forge a line is replaced',
  async t => {
    const { lines, post } = withLog(t)
    const answer = await post({ 'x-request-id': 'deploy-42' })
    t.equal(answer.headers['x-request-id'], 'deploy-42')
    t.match(lines, [{ requestId: 'deploy-42', operation: 'op-1', command: 'swap', by: 'local' }])
    for (const unfit of ['', 'a b', 'x'.repeat(200), '{"level":60}']) {
      const { headers } = await post({ 'x-request-id': unfit })
      t.match(headers['x-request-id'], /^[0-9a-f-]{36}$/, JSON.stringify(unfit))
    }
    t.not((await post()).headers['x-request-id'], (await post()).headers['x-request-id'])
  },
)
