import { chmodSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { Agent, request } from 'undici'
import { startAdmin, type AdminOptions } from '../../../src/admin/server.ts'
import { runCli } from '../../../src/cli/program.ts'
import { createClient, type ClientTls } from '../../../src/client/client.ts'
import { silentLogger } from '../../../src/core/logger.ts'
import { makeAuthority, makeCertificate, type Authority, type MadeCertificate } from '../../support/certificates.ts'
import { tempDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { fakeTerminal } from '../cli/fake-terminal.ts'
import { FakeController } from './fake-controller.ts'

const ROLES = { ann: 'admin', vic: 'viewer' } as const

/** Replaced as one replaces a file that is in use. */
function put(path: string, text: string, mode = 0o600): void {
  writeFileSync(`${path}.new`, text, { mode })
  renameSync(`${path}.new`, path)
}

async function serve(t: Test, options: Partial<AdminOptions> & { clients?: Authority; server?: MadeCertificate } = {}) {
  const {
    clients,
    server = await makeCertificate({ names: ['localhost', 'fabric.test', '127.0.0.1'] }),
    ...more
  } = options
  const folder = tempDir(t)
  const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem'), ca: join(folder, 'ca.pem') }
  put(files.cert, server.chain, 0o644)
  put(files.key, server.key)
  if (clients !== undefined) put(files.ca, clients.ca, 0o644)
  const api = new FakeController()
  api.addService('guestbook', { production: '1.0.0', staging: '1.5.0' })
  const admin = await startAdmin({
    api,
    port: 0,
    log: silentLogger(),
    tls: { cert: files.cert, key: files.key, clientCa: clients === undefined ? null : files.ca, roles: ROLES },
    ...more,
  })
  t.teardown(() => admin.close())
  /** The status, or how it failed. */
  const ask = async (
    path: string,
    tls: ClientTls & { host?: string; token?: string; method?: 'GET' | 'POST' } = {},
  ): Promise<number | string> => {
    const { host = 'localhost', token, method = 'GET', ...connect } = tls
    const dispatcher = new Agent({ connect: { ca: server.ca, servername: host, ...connect } })
    try {
      const headers = { host, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) }
      const answer = await request(admin.url + path, { method, headers, dispatcher })
      await answer.body.dump()
      return answer.statusCode
    } catch (error) {
      return String((error as { code?: string }).code)
    } finally {
      await dispatcher.destroy()
    }
  }
  return { admin, api, ask, files, server }
}

async function client(authority: Authority, name: string): Promise<{ cert: string; key: string }> {
  const { chain, key } = await makeCertificate({ names: [name], usage: 'client', authority })
  return { cert: chain, key }
}

t.test('it speaks TLS under the names of its certificate, and nothing else', async t => {
  const { admin, ask } = await serve(t)
  t.match(admin.url, /^https:/)
  t.equal(await ask('/v1/services'), 200)
  t.equal(await ask('/v1/services', { host: 'fabric.test' }), 200)
  t.equal(await ask('/v1/services', { ca: (await makeAuthority()).ca }), 'DEPTH_ZERO_SELF_SIGNED_CERT')
  await t.rejects(fetch(admin.url.replace('https', 'http')))
})

t.test(
  'a certificate of the authority lets in, as its common name and in its role; others do not get past the handshake',
  async t => {
    const clients = await makeAuthority()
    const strangers = await makeAuthority()
    const { ask, admin, server } = await serve(t, { clients, host: '0.0.0.0' })
    const ann = await client(clients, 'ann')
    t.equal(await ask('/v1/services', ann), 200)
    t.equal(await ask('/v1/services/guestbook/swap', { ...ann, method: 'POST' }), 202)
    const vic = await client(clients, 'vic')
    t.equal(await ask('/v1/services', vic), 200)
    t.equal(await ask('/v1/services/guestbook/swap', { ...vic, method: 'POST' }), 403)
    t.equal(await ask('/v1/services', await client(clients, 'nobody')), 403, 'without a role')
    t.equal(await ask('/v1/services', await client(clients, '__proto__')), 403)
    for (const [name, tls] of Object.entries({ stranger: await client(strangers, 'ann'), naked: {} }))
      t.type(await ask('/healthz', tls), 'string', name)
    const own = createClient({ url: admin.url.replace('0.0.0.0', 'localhost'), tls: { ca: server.ca, ...vic } })
    t.teardown(() => own.close())
    t.match(await own.services(), [
      { slots: { production: { actions: { swap: { allowed: false, code: 'forbidden' } } } } },
    ])
  },
)

t.test('with a token file, too, who has no certificate may show a token', async t => {
  const clients = await makeAuthority()
  const { ask } = await serve(t, { clients, token: 'opal:operator secret-operator\n' })
  t.equal(await ask('/v1/services'), 401)
  t.equal(await ask('/healthz'), 200)
  t.equal(await ask('/v1/services', { token: 'secret-operator' }), 200)
  t.equal(await ask('/v1/services', await client(clients, 'ann')), 200)
  t.equal(await ask('/v1/services', await client(await makeAuthority(), 'ann')), 401)
  const ann = await client(clients, 'ann')
  t.equal(await ask('/v1/gc', { ...ann, token: 'secret-operator', method: 'POST' }), 403, 'a token goes before')
  t.equal(await ask('/v1/gc', { ...ann, token: 'wrong', method: 'POST' }), 401)
})

t.test('changed certificates are in force without a restart; broken ones are not, and it says so', async t => {
  const clients = await makeAuthority()
  const lines: string[] = []
  const sink = new PassThrough().on('data', (text: Buffer) => lines.push(text.toString()))
  const { ask, files, admin } = await serve(t, { clients, log: pino({}, sink) })
  const ann = await client(clients, 'ann')
  const said = async (what: string) => until(what, async () => lines.join('').includes(what))
  const stream = new Agent({ connect: { rejectUnauthorized: false, ...ann } })
  t.teardown(() => stream.destroy())
  const events = await request(`${admin.url}/v1/events`, { dispatcher: stream })
  const cut = events.body.text().then(
    () => 'ended',
    () => 'cut',
  )

  put(files.cert, 'no certificate', 0o644)
  await said('are not used')
  t.equal(await ask('/v1/services', ann), 200)
  const next = await makeCertificate({ names: ['localhost'] })
  // A pair that is half replaced is not used either.
  put(files.cert, next.chain, 0o644)
  put(files.key, next.key)
  await said('are in force')
  t.equal(await cut, 'cut', 'who showed a certificate is asked for it again')
  t.equal(await ask('/v1/services', { ...ann, ca: next.ca }), 200)
  t.equal(await ask('/v1/services', ann), 'DEPTH_ZERO_SELF_SIGNED_CERT', 'the old one is not shown any more')

  const others = await makeAuthority()
  put(files.ca, others.ca, 0o644)
  await until(
    'the new authority counts',
    async () => (await ask('/v1/services', { ...(await client(others, 'ann')), ca: next.ca })) === 200,
  )
  t.type(await ask('/v1/services', { ...ann, ca: next.ca }), 'string')
})

t.test(
  'a key that others may read, one of another certificate and an authority that is none do not come up',
  async t => {
    const authority = await makeAuthority()
    const folder = tempDir(t)
    const path = (name: string, text: string, mode = 0o600): string => {
      put(join(folder, name), text, mode)
      return join(folder, name)
    }
    const own = await makeCertificate({ names: ['localhost'] })
    const other = await makeCertificate({ names: ['localhost'] })
    const files = {
      cert: path('cert', own.chain),
      key: path('key', own.key),
      clientCa: path('ca', authority.ca),
      roles: null,
    }
    const start = async (change: Partial<typeof files>) =>
      startAdmin({
        api: new FakeController(),
        port: 0,
        log: silentLogger(),
        host: '0.0.0.0',
        tls: { ...files, ...change },
      })
    await (await start({})).close()
    for (const [change, message] of [
      [{ key: path('other', other.key) }, /belongs to another certificate/],
      [{ clientCa: path('leaf', own.chain) }, /no authority/],
      [{ clientCa: path('junk', 'junk') }, /no certificate/],
      [{ clientCa: join(folder, 'none') }, /ENOENT/],
    ] as const)
      await t.rejects(start(change), { code: 'usage', message })
    chmodSync(files.key, 0o640)
    await t.rejects(start({}), { code: 'usage', message: /chmod 600/ })
    chmodSync(files.key, 0o600)
    await t.rejects(
      startAdmin({
        api: new FakeController(),
        port: 0,
        log: silentLogger(),
        host: '0.0.0.0',
        tls: { ...files, clientCa: null },
      }),
      { code: 'usage', message: /--token-file FILE or --client-ca FILE/ },
      'TLS alone lets everybody in',
    )
  },
)

t.test('the command line trusts an authority and shows a certificate', async t => {
  const clients = await makeAuthority()
  const { admin, server } = await serve(t, { clients })
  const folder = tempDir(t)
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }
  const vic = await client(clients, 'vic')
  const env = {
    VIPSWAP_ADMIN: admin.url,
    VIPSWAP_CACERT: file('ca', server.ca),
    VIPSWAP_CLIENT_CERT: file('cert', vic.cert),
    VIPSWAP_CLIENT_KEY: file('key', vic.key),
  }
  const run = async (words: string[], environment: Record<string, string>) => {
    const terminal = fakeTerminal({ env: environment })
    return { code: await runCli(words, terminal), stdout: terminal.stdout, stderr: terminal.stderr }
  }
  t.match(await run(['status'], env), { code: 0, stdout: /guestbook/ })
  t.match(await run(['swap'], env), { code: 1, stderr: /takes the role operator, and vic is a viewer \[forbidden\]/ })
  const flags = [
    '--admin',
    admin.url,
    '--ca',
    env.VIPSWAP_CACERT,
    '--client-cert',
    env.VIPSWAP_CLIENT_CERT,
    '--client-key',
    env.VIPSWAP_CLIENT_KEY,
  ]
  t.match(await run(['status', ...flags], {}), { code: 0 })
  t.match(await run(['status', ...flags.slice(0, 4)], {}), { code: 1, stderr: /unreachable/ })
  t.match(await run(['status', ...flags.slice(0, 6)], {}), {
    code: 2,
    stderr: /--client-cert FILE and --client-key FILE together/,
  })
  t.match(await run(['status'], { VIPSWAP_ADMIN: admin.url }), { code: 1, stderr: /self-signed|unreachable/ })
})

t.test('a client that trusts one certificate trusts no other, whatever its names', async t => {
  const { admin, server } = await serve(t)
  const other = await makeCertificate({ names: ['localhost', '127.0.0.1'] })
  for (const [only, code] of [
    [server.chain, null],
    [other.chain, 'unreachable'],
  ] as const) {
    const own = createClient({ url: admin.url, tls: { only } })
    t.teardown(() => own.close())
    if (code === null) await t.resolves(own.services())
    else await t.rejects(own.services(), { code })
  }
})
