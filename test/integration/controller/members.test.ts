import { generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto'
import { mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { join as path } from 'node:path'
import { Readable } from 'node:stream'
import { connect } from 'node:tls'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { pack } from '../../../bench/system/packages.ts'
import { startController } from '../../../src/controller/start.ts'
import type { AgentHello, ProxyHello } from '../../../src/contracts/link.ts'
import { LINK_PROTOCOL } from '../../../src/contracts/link.ts'
import { jsonLines } from '../../../src/core/json-lines.ts'
import { silentLogger, type Logger } from '../../../src/core/logger.ts'
import { askController, type Credentials } from '../../../src/core/member/controller-road.ts'
import { join, newKey, renew } from '../../../src/core/member/enrol.ts'
import { openMembership } from '../../../src/core/member/membership.ts'
import { parseJoinToken } from '../../../src/core/member/join-token.ts'
import { DEFAULT_FABRIC_CONFIG } from '../../../src/model/load-fabric-config.ts'
import { makeAuthority, makeCertificate } from '../../support/certificates.ts'
import { tempDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'

const HOST = '127.0.0.2'
const agent = (name: string) => ({ kind: 'agent', name }) as const
const proxy = (name: string) => ({ kind: 'proxy', name }) as const

async function serve(t: Test, options: { data?: string; lifeMs?: number; log?: Logger } = {}) {
  const { data = path(tempDir(t), 'd'), lifeMs = 3_600_000, log = silentLogger() } = options
  const controller = await startController({
    dataDirectory: data,
    runDirectory: path(tempDir(t), 'r'),
    config: { ...DEFAULT_FABRIC_CONFIG, links: { listen: null, certificateLifeMs: lifeMs } },
    links: { host: HOST, port: 0 },
    log,
  })
  let closed = false
  const stop = async (): Promise<void> => {
    if (closed) return
    closed = true
    await controller.close()
  }
  t.teardown(stop)
  const { members } = controller
  if (members === null) throw new Error('there are no members')
  const { address } = members
  const token = (kind: 'agent' | 'proxy', name: string | null = null) =>
    parseJoinToken(members.makeToken(kind, name, 60_000).token)
  /** The status of a request, or how it failed. */
  const ask = async (credentials: Partial<Credentials>, options: { path: string; method?: string; body?: string }) =>
    new Promise<{ status: number | string; body: string }>(resolve => {
      const { body = '', ...rest } = options
      const asked = request({ ...address, agent: false, rejectUnauthorized: false, ...credentials, ...rest })
      asked.on('error', (error: NodeJS.ErrnoException) => resolve({ status: error.code ?? error.message, body: '' }))
      asked.on('response', (response: IncomingMessage) => {
        let text = ''
        response.on('data', (piece: Buffer) => (text += piece.toString()))
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }))
      })
      asked.end(body)
    })
  /** Opens a link, says hello, and tells whether the controller talks or hangs up. */
  const link = (credentials: Credentials, hello: AgentHello | ProxyHello) => {
    const state = { status: 'dialling', said: 0, close: () => {}, send: (_value: unknown) => {} }
    const asked = askController(
      { kind: 'tls', address, credentials: () => credentials },
      { path: '/link', headers: { Connection: 'Upgrade', Upgrade: LINK_PROTOCOL } },
    )
    asked.on('error', error => (state.status = error.message))
    asked.on('response', response => (state.status = String(response.statusCode)))
    asked.on('upgrade', (_response, socket) => {
      state.status = 'open'
      const lines = jsonLines(socket, {
        onValue: () => (state.said += 1),
        onClose: () => (state.status = 'closed'),
      })
      state.close = () => socket.destroy()
      state.send = value => lines.send(value)
      lines.send(hello)
    })
    asked.end()
    t.teardown(() => state.close())
    return state
  }
  return { controller, members, address, token, ask, link, stop, data }
}

function agentHello(id: string): AgentHello {
  const node = { cores: 1, memoryBytes: 1e9, host: HOST, faultDomain: null, upgradeDomain: null }
  return { type: 'hello', peer: 'agent', id, incarnation: `i-${id}`, bootId: 'b', applied: null, node }
}

function proxyHello(id: string, incarnation: string, predecessors: ProxyHello['predecessors'] = []): ProxyHello {
  return { type: 'hello', peer: 'proxy', id, incarnation, bootId: 'b', applied: null, predecessors }
}

t.test('a newcomer joins with a token once, and is known by its certificate from then on', async t => {
  const { address, token, link, controller, members } = await serve(t)
  const first = token('agent')
  const credentials = await join(address, first, agent('far-1'))
  const certificate = new X509Certificate(credentials.cert)
  t.equal(certificate.subjectAltName, 'URI:vipswap:agent:far-1')
  t.strictSame(certificate.keyUsage, ['1.3.6.1.5.5.7.3.2'], 'for clients only')
  await t.rejects(join(address, first, agent('far-2')), {
    code: 'forbidden',
    message: /used already, by vipswap:agent:far-1/,
  })
  await t.rejects(join(address, first, agent('far-1')), { code: 'forbidden' })
  const open = link(credentials, agentHello('far-1'))
  await until('the node is there', async () => controller.api.nodes().some(({ name }) => name === 'far-1'))
  await until('it is told what to run', async () => open.said > 0)
  t.match(members.list(), [{ kind: 'agent', name: 'far-1' }])
})

t.test('strangers, and members that say they are somebody else, get nothing', async t => {
  const { address, token, ask, link, controller } = await serve(t)
  const strangers = await makeAuthority()
  const ours = await join(address, token('agent'), agent('far-1'))
  const other = await makeCertificate({ names: ['far-1'], usage: 'client', authority: strangers })
  const forged = { cert: other.chain, key: other.key }
  const upgrade = { connection: 'upgrade', upgrade: LINK_PROTOCOL }
  for (const [name, credentials] of Object.entries({ naked: {}, forged })) {
    for (const options of [
      { path: '/link', headers: upgrade },
      { path: `/packages/${'a'.repeat(64)}` },
      { path: '/renew', method: 'POST', body: '{}' },
      { path: '/' },
    ])
      t.match(await ask(credentials, options), { status: 403 }, `${name} ${options.path}`)
  }
  t.match(await ask(ours, { path: `/packages/${'a'.repeat(64)}` }), { status: 404 }, 'a member is told what there is')

  const edge = await join(address, token('proxy'), proxy('edge'))
  t.match(await ask(edge, { path: `/packages/${'a'.repeat(64)}` }), { status: 403 }, 'packages are for agents')
  const wrong = [
    link(ours, agentHello('far-2')),
    link(ours, proxyHello('far-1', 'p-1')),
    link(edge, proxyHello('other', 'p-2')),
    link(edge, agentHello('edge')),
  ]
  await until('all are hung up on', async () => wrong.every(each => each.status === 'closed'))
  t.strictSame(
    wrong.map(each => each.said),
    [0, 0, 0, 0],
  )
  t.strictSame(controller.api.nodes(), [])
})

t.test('a proxy speaks for its own lives alone', async t => {
  const { address, token, link, controller } = await serve(t)
  const [a, b] = [await join(address, token('proxy'), proxy('a')), await join(address, token('proxy'), proxy('b'))]
  const good = link(a, proxyHello('a', 'life-a'))
  await until('the first is there', async () => controller.api.ready().reason !== 'no proxy is connected')
  const thief = link(b, proxyHello('b', 'life-a'))
  await until('who takes its life is hung up on', async () => thief.status === 'closed')
  t.equal(good.status, 'open')
  const liar = link(b, proxyHello('b', 'life-b', [{ incarnation: 'life-a', exited: true }]))
  await until('it is told the table', async () => liar.said > 0)
  liar.send({ type: 'predecessor', incarnation: 'life-a', exited: true })
  liar.send({ type: 'ack' })
  await until('what is no message is answered by hanging up', async () => liar.status === 'closed')
  t.equal(good.status, 'open', 'nobody has said that the first is gone but the second')
})

t.test('a wrong message ends its link with a clear line in the log, and changes nothing', async t => {
  const lines: string[] = []
  const { address, token, link, controller } = await serve(t, { log: pino({}, { write: line => lines.push(line) }) })
  const [a, b] = [
    await join(address, token('agent'), agent('far-1')),
    await join(address, token('agent'), agent('far-2')),
  ]
  const others = link(b, agentHello('far-2'))
  await until('the other node is there', async () => controller.api.nodes().length === 1)
  const observed = { type: 'observed', revision: null, instances: [], packages: [], packageErrors: {} }
  const wrong: Record<string, object> = {
    '/instances/0 ': { ...observed, instances: ['d1/web_IN_0'] },
    '/packageErrors/a ': { ...observed, packageErrors: { a: 5 } },
    'no message of an agent': { type: 'status', status: {} },
    'hello twice': agentHello('far-1'),
  }
  for (const [words, message] of Object.entries(wrong)) {
    const one = link(a, agentHello('far-1'))
    await until('it is told what to run', async () => one.said > 0)
    const before = JSON.stringify([controller.api.services(), controller.api.operations({})])
    one.send(message)
    // In the same piece of the stream, after it: not read any more.
    one.send({ type: 'refused', revision: { term: 999, n: 1 }, applied: { term: 999, n: 1 } })
    await until('it is hung up on', async () => one.status === 'closed')
    t.equal(JSON.stringify([controller.api.services(), controller.api.operations({})]), before)
    const line = lines.findLast(each => each.includes('a message of a link could not be taken')) ?? ''
    t.match(JSON.parse(line), { level: 50, peer: { kind: 'agent', id: 'far-1', member: 'vipswap:agent:far-1' } })
    t.match(line, words)
  }
  const cold = link(a, { type: 'ack' } as never)
  await until('who does not say hello is hung up on', async () => cold.status === 'closed')
  t.equal(others.status, 'open')
  t.notMatch(lines.join(''), /applied a word of a higher term|refused an older/)
})

t.test('the newcomer sends its secret to nobody but the controller that made it', async t => {
  const { token } = await serve(t)
  const second = await serve(t)
  await t.rejects(join(second.address, token('agent'), agent('x')), {
    code: 'forbidden',
    message: /not the controller that made this join token/,
  })
  // One who shows the right authority, but has no certificate of it.
  const { createServer } = await import('node:tls')
  const own = await makeCertificate({ names: ['controller'] })
  const authority = (JSON.parse(readFileSync(path(second.data, 'trust', 'authority.json'), 'utf8')) as { cert: string })
    .cert
  let heard = ''
  const server = createServer({ cert: own.chain + authority, key: own.key }, socket => {
    socket.on('data', piece => (heard += piece.toString()))
    socket.on('error', () => {})
  })
  await new Promise<void>(resolve => {
    server.listen(0, HOST, resolve)
  })
  t.teardown(() => server.close())
  const { port } = server.address() as { port: number }
  await t.rejects(join({ host: HOST, port }, second.token('agent'), agent('x')), { code: 'forbidden' })
  // And a member does not speak to one whose certificate is a member's.
  const member = await join(second.address, second.token('agent'), agent('y'))
  const posing = createServer({ cert: member.cert, key: member.key }, socket => {
    socket.on('data', piece => (heard += piece.toString()))
    socket.on('error', () => {})
  })
  await new Promise<void>(resolve => {
    posing.listen(0, HOST, resolve)
  })
  t.teardown(() => posing.close())
  await t.rejects(renew({ host: HOST, port: (posing.address() as { port: number }).port }, member), {
    code: 'unreachable',
  })
  t.equal(heard, '')
})

t.test('a removed member is hung up on and stays out, also after a restart of the controller', async t => {
  const { address, token, ask, link, members, stop, data } = await serve(t)
  const credentials = await join(address, token('agent'), agent('far-1'))
  const open = link(credentials, agentHello('far-1'))
  await until('it is linked', async () => open.said > 0)
  t.throws(() => members.remove(agent('nobody')), { code: 'member_not_found' })
  members.remove(agent('far-1'))
  await until('it is hung up on', async () => open.status === 'closed')
  t.match(await ask(credentials, { path: '/' }), { status: 403 })
  await t.rejects(renew(address, credentials), { code: 'forbidden' })
  await t.rejects(
    join(address, token('agent'), agent('far-1')),
    { message: /there already/ },
    'its node is still known',
  )
  const back = await join(address, token('agent', 'far-1'), agent('far-1'))
  await stop()
  const again = await serve(t, { data })
  t.match(await again.ask(credentials, { path: '/x' }), { status: 403, body: /join first/ })
  t.match(await again.ask(back, { path: '/x' }), { status: 404 })
})

t.test('what a removed member is being sent ends, too', async t => {
  const { address, token, members, controller } = await serve(t)
  const credentials = await join(address, token('agent'), agent('far-1'))
  const folder = tempDir(t)
  // Many turns of the loop long: it is removed in the first one.
  writeFileSync(path(folder, 'big'), randomBytes(3 * 1024 * 1024))
  writeFileSync(path(folder, 'service.yaml'), 'name: big\nversion: 1.0.0\nroles: { w: { command: [sleep] } }\n')
  const { digest } = await controller.api.addPackage(Readable.from([await pack(folder)]), 'gzip')
  const asked = request({
    ...address,
    agent: false,
    rejectUnauthorized: false,
    ...credentials,
    path: `/packages/${digest}`,
  })
  const ended = new Promise<string>(resolve => {
    asked.on('error', () => resolve('cut'))
    asked.on('response', (response: IncomingMessage) => {
      response.once('data', () => {
        response.pause()
        members.remove(agent('far-1'))
        response.resume()
      })
      response.on('error', () => resolve('cut'))
      response.on('end', () => resolve(response.complete ? 'whole' : 'cut'))
    })
  })
  asked.end()
  t.equal(await ended, 'cut')
})

t.test('a certificate is renewed before it ends, and hung up on when it has ended', async t => {
  const { address, link, members } = await serve(t, { lifeMs: 3000 })
  const folder = path(tempDir(t), 'member')
  const given = members.makeToken('agent', null, 60_000).token
  const options = {
    controller: `https://${address.host}:${address.port}`,
    token: given,
    identity: agent('far-1'),
    folder,
    log: silentLogger(),
  }
  let renewed = 0
  const membership = await openMembership({ ...options, onRenewed: () => (renewed += 1) })
  t.teardown(() => membership.close())
  const { road } = membership
  const first = road.kind === 'tls' ? road.credentials() : null
  if (first === null) throw new Error('no credentials')
  const open = link(first, agentHello('far-1'))
  await until('it is renewed', async () => renewed > 0)
  const second = road.kind === 'tls' ? road.credentials() : null
  t.not(second?.cert, first.cert)
  t.not(second?.key, first.key)
  t.equal(statSync(path(folder, 'member.json')).mode & 0o777, 0o600)
  t.equal(statSync(folder).mode & 0o777, 0o700)
  await until('the link that shows the old one ends with it', async () => open.status === 'closed')
  // Another start with the same words uses what is kept; the token is used up, and not asked for again.
  const again = await openMembership(options)
  again.close()
  await t.rejects(openMembership({ ...options, identity: agent('far-2') }), {
    code: 'usage',
    message: /of another member/,
  })
  await t.rejects(openMembership({ ...options, token: undefined, folder: path(tempDir(t), 'm') }), {
    code: 'usage',
    message: /--join TOKEN/,
  })
})

t.test('what is no request to join is refused, and uses no token up', async t => {
  const { address, token, ask } = await serve(t)
  const { publicKey } = newKey()
  const good = token('agent')
  const body = { secret: good.secret, kind: 'agent', name: 'n1', publicKey, proof: 'AAAA' }
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ type: 'spki', format: 'pem' })
  for (const [what, wrong] of Object.entries({
    'not JSON': '{',
    nothing: '{}',
    'no proof': JSON.stringify(body),
    'another key': JSON.stringify({ ...body, publicKey: rsa }),
    'a name with a slash': JSON.stringify({ ...body, name: '../n1' }),
    'another kind': JSON.stringify({ ...body, kind: 'controller' }),
    deep: '['.repeat(16_000),
    long: 'x'.repeat(100_000),
  })) {
    const { status } = await ask({}, { path: '/join', method: 'POST', body: wrong })
    t.ok([400, 403, 413, 'EPIPE', 'ECONNRESET'].includes(status), `${what}: ${status}`)
  }
  t.match(await ask({}, { path: '/join', method: 'PUT' }), { status: 403 })
  await t.resolves(join(address, good, agent('n1')))
  const old = connect({ ...address, rejectUnauthorized: false, maxVersion: 'TLSv1.2' })
  const failed = await new Promise<string>(resolve => {
    old.once('secureConnect', () => resolve('connected'))
    old.once('error', error => resolve(error.message))
  })
  t.match(failed, /version/)
  old.destroy()
})

t.test('the authority is made once and kept private', async t => {
  const data = path(tempDir(t), 'd')
  mkdirSync(data)
  const first = await serve(t, { data })
  const trust = path(data, 'trust')
  t.equal(statSync(trust).mode & 0o777, 0o700)
  first.token('agent')
  for (const name of readdirSync(trust)) t.equal(statSync(path(trust, name)).mode & 0o777, 0o600, name)
  const before = readFileSync(path(trust, 'authority.json'), 'utf8')
  await first.stop()
  await serve(t, { data })
  t.equal(readFileSync(path(trust, 'authority.json'), 'utf8'), before)
})
