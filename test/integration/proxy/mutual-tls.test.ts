import type { ConnectionOptions } from 'node:tls'
import t from 'tap'
import { makeAuthority, makeCertificate, type Authority, type MadeCertificate } from '../../support/certificates.ts'
import { until } from '../../support/until.ts'
import {
  answering,
  isWhole,
  ok,
  pool,
  startPlane,
  statusOf,
  table,
  target,
  type Origin,
  type TestPlane,
} from './support.ts'
import { get, httpsListener, serverCertificate, tlsAsk, tlsClient, withCertificates } from './tls-support.ts'
import type { RoutingTable } from '../../../src/contracts/routing.ts'

const NAMES = { none: 'app.localhost', optional: 'optional.localhost', required: 'required.localhost' }
const FIELD = /^X-Forwarded-Client-Cert: (.*)\r$/im

interface Lab {
  readonly plane: TestPlane['plane']
  readonly port: number
  readonly origin: Origin
  readonly authority: Authority
  readonly table: (authorities: { optional: string; required: string }) => RoutingTable
}

/** Three services on one port: one asks for no client certificate, one for one, one demands it. */
async function lab(t: Parameters<typeof tlsAsk>[0]): Promise<Lab> {
  const authority = await makeAuthority('clients')
  const origin = await answering(t, ok('hello'))
  const certificates = await Promise.all([
    serverCertificate([NAMES.none]),
    serverCertificate([NAMES.optional]),
    serverCertificate([NAMES.required]),
  ])
  const [none, optional, required] = certificates
  const make: Lab['table'] = cas =>
    withCertificates(
      table([pool([target(origin)])], {
        listeners: [
          httpsListener([none], { key: 'none/production/web/https', hostNames: [NAMES.none] }),
          httpsListener([optional], {
            key: 'optional/production/web/https',
            hostNames: [NAMES.optional],
            clientAuth: { ca: cas.optional, required: false },
          }),
          httpsListener([required], {
            key: 'required/production/web/https',
            hostNames: [NAMES.required],
            clientAuth: { ca: cas.required, required: true },
          }),
        ],
      }),
      certificates,
    )
  const { port, plane } = await startPlane(t, make({ optional: authority.ca, required: authority.ca }))
  return { plane, port, origin, authority, table: make }
}

function shows(made: MadeCertificate | null): ConnectionOptions {
  return made === null ? {} : { cert: made.chain, key: made.key }
}

/** Status of a request, or null where the connection came to nothing. */
async function status(
  t: Parameters<typeof tlsAsk>[0],
  port: number,
  name: string,
  made: MadeCertificate | null,
  more: ConnectionOptions = {},
): Promise<number | null> {
  try {
    const text = await tlsAsk(t, port, get(name), { servername: name, ...shows(made), ...more })
    return text === '' ? null : statusOf(text)
  } catch {
    return null
  }
}

void t.test('who is asked for a certificate, who must have one, and what the instance is told', async t => {
  const { port, origin, authority, plane } = await lab(t)
  const client = { names: ['client.example.org'], usage: 'client' } as const
  const [good, byIntermediate, stranger, expired, forServers] = await Promise.all([
    makeCertificate({ ...client, authority }),
    makeCertificate({ ...client, authority: await authority.intermediate('team') }),
    makeCertificate({ ...client, authority: await makeAuthority('others') }),
    makeCertificate({ ...client, authority, days: -1 }),
    makeCertificate({ names: ['client.example.org'], authority, usage: 'server' }),
  ])
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const versions = { minVersion: version, maxVersion: version }
    const cases = [
      [NAMES.none, null, 200],
      [NAMES.none, good, 200],
      [NAMES.none, stranger, 200],
      [NAMES.optional, null, 200],
      [NAMES.optional, good, 200],
      [NAMES.optional, stranger, null],
      [NAMES.optional, expired, null],
      [NAMES.required, null, null],
      [NAMES.required, good, 200],
      [NAMES.required, byIntermediate, 200],
      [NAMES.required, stranger, null],
      [NAMES.required, expired, null],
      [NAMES.required, forServers, null],
    ] as const
    for (const [index, [name, made, expected]] of cases.entries()) {
      const before = origin.received.join('').length
      t.equal(await status(t, port, name, made, versions), expected, `${version} case ${index}: ${name}`)
      const told = FIELD.exec(origin.received.join('').slice(before))?.[1]
      const verified = expected === 200 && name !== NAMES.none && made !== null
      if (verified) t.match(told, /^Hash=[0-9a-f]{64};Subject="CN=client\.example\.org";DNS=client\.example\.org$/)
      else t.equal(told, undefined, 'nothing is said of it')
    }
  }
  await until('nothing is left open', () => plane.connections === 0)
})

void t.test('what a client says of its own certificate is removed, whoever it is', async t => {
  const { port, origin, authority, plane, table } = await lab(t)
  const good = await makeCertificate({ names: ['client.example.org'], authority, usage: 'client' })
  const lie = 'X-Forwarded-Client-Cert: Hash=00;Subject="CN=root"\r\n'
  const both = table({ optional: authority.ca, required: authority.ca })
  for (const trustedProxies of [[], ['127.0.0.1']]) {
    plane.apply({ ...both, limits: { ...both.limits, trustedProxies } })
    await tlsAsk(t, port, get(NAMES.none, lie), { servername: NAMES.none })
    await tlsAsk(t, port, get(NAMES.required, lie), { servername: NAMES.required, ...shows(good) })
  }
  t.notMatch(origin.received.join(''), /Hash=00/)
  t.equal(origin.received.join('').match(/X-Forwarded-Client-Cert/g)?.length, 2)
})

void t.test('neither a server name nor a session nor a new table is a way around a demanded certificate', async t => {
  const { port, plane, authority, table } = await lab(t)
  const good = await makeCertificate({ names: ['client.example.org'], authority, usage: 'client' })
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const versions = { minVersion: version, maxVersion: version }
    const open = await tlsClient(t, port, { servername: NAMES.none, ...versions })
    let session: Buffer | undefined
    open.socket.on('session', ticket => {
      session = ticket
    })
    open.send(get(NAMES.required))
    t.equal(statusOf(await open.until(isWhole)), 421, 'made for another name')
    session ??= open.socket.getSession()
    const resuming = { ...versions, ...(session === undefined ? {} : { session }) }
    t.equal(await status(t, port, NAMES.required, null, resuming), null, 'a session made without one')

    const known = await tlsClient(t, port, { servername: NAMES.required, ...versions, ...shows(good) })
    let knownSession: Buffer | undefined
    known.socket.on('session', ticket => {
      knownSession = ticket
    })
    known.send(get(NAMES.required))
    t.equal(statusOf(await known.until(isWhole)), 200)
    knownSession ??= known.socket.getSession()
    const again = await tlsClient(t, port, {
      servername: NAMES.required,
      ...versions,
      ...(knownSession === undefined ? {} : { session: knownSession }),
    })
    t.ok(again.socket.isSessionReused())
    again.send(get(NAMES.required))
    t.equal(statusOf(await again.until(isWhole)), 200, 'a session made with one')

    const others = await makeAuthority('others')
    plane.apply(table({ optional: authority.ca, required: others.ca }))
    known.text = ''
    known.send(get(NAMES.required))
    t.equal(statusOf(await known.until(isWhole)), 421, 'the authority is another one now: connect again')
    const late = { ...versions, ...(knownSession === undefined ? {} : { session: knownSession }) }
    t.equal(await status(t, port, NAMES.required, good, late), null, 'nor is its session any good')
    plane.apply(table({ optional: authority.ca, required: authority.ca }))
  }
})
