import { Writable } from 'node:stream'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { buildAdmin } from '../../../src/admin/server.ts'
import { startController } from '../../../src/controller/start.ts'
import { DEFAULT_FABRIC_CONFIG } from '../../../src/model/load-fabric-config.ts'
import { packDirectory } from '../../../src/packages/pack.ts'
import { openLevelStore } from '../../../src/store/level-store.ts'
import { buffer } from 'node:stream/consumers'
import { makeCertificate, type MadeCertificate } from '../../support/certificates.ts'
import { tempDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { FakeProxy } from './fake-proxy.ts'

interface Answer {
  status: number
  body: string
  json: Record<string, unknown>
}

/** A controller with its API, whose every answer and log line is kept. */
async function rig(t: Test, directory: string) {
  const said: string[] = []
  const log = pino(
    { level: 'trace' },
    new Writable({
      write(chunk, _encoding, done) {
        said.push(String(chunk))
        done()
      },
    }),
  )
  const runDirectory = join(directory, 'run')
  const controller = await startController({
    dataDirectory: join(directory, 'data'),
    runDirectory,
    config: DEFAULT_FABRIC_CONFIG,
    log,
  })
  const { app, close } = buildAdmin({ api: controller.api, port: 0, log })
  let closed = false
  const stop = async (): Promise<void> => {
    if (closed) return
    closed = true
    await close()
    await controller.close()
  }
  t.teardown(stop)
  const ask = async (
    method: 'GET' | 'POST',
    url: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> => {
    const answer = await app.inject({
      method,
      url,
      headers: { host: 'localhost', ...headers },
      ...(body === undefined ? {} : { payload: body as object }),
    })
    said.push(answer.body)
    const isJson = answer.headers['content-type']?.toString().includes('json') === true
    return { status: answer.statusCode, body: answer.body, json: isJson ? answer.json() : {} }
  }
  return { said, ask, stop, runDirectory }
}

/** A package whose one role fronts something that runs already, behind https. */
async function packed(t: Test, name: string, made: MadeCertificate | null, more = ''): Promise<Buffer> {
  const directory = tempDir(t)
  mkdirSync(join(directory, 'tls'))
  if (made !== null) writeFileSync(join(directory, 'tls/site.pem'), made.chain + made.key)
  writeFileSync(
    join(directory, 'service.yaml'),
    `name: ${name}
version: 1.0.0
${more}
roles:
  web:
    upstreams: ["127.0.0.1:3000"]
    certificates: { site: ${made === null ? '' : 'tls/site.pem'} }
    endpoints: { tls: { protocol: https, port: 8443 } }
`,
  )
  return buffer((await packDirectory(directory)).stream)
}

const upload = (body: Buffer) => ['POST', '/v1/packages', body, { 'content-type': 'application/gzip' }] as const
const slotOf = (service: string) => `/v1/services/${service}/slots/production`
const siteOf = (pem: string) => ({ configuration: { roles: { web: { certificates: { site: pem } } } } })
const pemOf = ({ chain, key }: MadeCertificate) => chain + key

t.test('certificates from the package and by configuration, to the proxy and never to anyone else', async t => {
  const directory = tempDir(t)
  const brought = await makeCertificate({ names: ['shop.localhost'], days: 5 })
  const renewed = await makeCertificate({ names: ['shop.localhost', 'www.shop.test'], days: 60 })
  const blog = await makeCertificate({ names: ['blog.localhost'] })
  const rival = await makeCertificate({ names: ['shop.localhost'] })
  const expired = await makeCertificate({ names: ['shop.localhost'], days: -1 })
  const first = await rig(t, directory)
  const { ask } = first
  const proxy = new FakeProxy(first.runDirectory, t)
  const keys = (): string[] => Object.values(proxy.table?.certificates ?? {}).map(({ key }) => key)
  const deploy = async (name: string, made: MadeCertificate | null, more?: string): Promise<Answer> => {
    const { digest } = (await ask(...upload(await packed(t, name, made, more)))).json
    return ask('POST', `${slotOf(name)}?wait=20`, { package: digest })
  }

  await t.test('a package brings one, and is warned of near its end', async t => {
    const added = await ask(...upload(await packed(t, 'shop', brought)))
    t.match(added, {
      status: 201,
      json: { warnings: [/certificates.site: the certificate expires on .*, in [45] days/] },
    })
    t.match(await deploy('shop', brought), { json: { status: 'Succeeded' } })
    t.strictSame(keys(), [brought.key])
    t.match((await ask('GET', '/v1/services/shop')).json, {
      vips: [
        { protocol: 'https', url: 'https://127.0.0.1:8443' },
        { protocol: 'https', url: 'https://127.0.0.1:8444' },
      ],
      slots: {
        production: {
          roles: [
            { certificates: [{ name: 'site', names: ['shop.localhost'], warning: /^expires on .*, in [45] days$/ }] },
          ],
        },
      },
    })
  })

  await t.test('another by configuration is done once the proxy has it, and touches no instance', async t => {
    const pools = JSON.stringify(proxy.table?.pools)
    proxy.pause()
    const { operationId } = (await ask('POST', `${slotOf('shop')}/configuration`, siteOf(pemOf(renewed)))).json
    await until('the proxy has the new certificate', () => keys().join() === renewed.key)
    t.match((await ask('GET', `/v1/operations/${String(operationId)}`)).json, {
      kind: 'configure',
      status: 'InProgress',
    })
    proxy.resume()
    await until('it has succeeded', async () => {
      const { json } = await ask('GET', `/v1/operations/${String(operationId)}`)
      return json['status'] === 'Succeeded'
    })
    t.equal(JSON.stringify(proxy.table?.pools), pools)
    const { json } = await ask('GET', slotOf('shop'))
    t.match(json, { status: 'Running', roles: [{ certificates: [{ names: ['shop.localhost', 'www.shop.test'] }] }] })
    t.notMatch(JSON.stringify(json), /warning/)
  })

  await t.test('what cannot be used is refused by name, and what was good stays', async t => {
    const locked = `${renewed.chain}-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n`
    for (const [pem, detail] of [
      ['', /role web, certificate site: it is not PEM/],
      [renewed.chain, /role web, certificate site: it holds no private key/],
      [renewed.key, /it holds no certificate/],
      [renewed.chain + rival.key, /it has a private key that belongs to another certificate/],
      [locked, /it has an encrypted private key/],
      [pemOf(expired), /role web, certificate site: it expired on \d{4}-\d\d-\d\d; give a current one/],
    ] as const) {
      t.match(await ask('POST', `${slotOf('shop')}/configuration`, siteOf(pem)), {
        status: 422,
        json: { code: 'invalid_configuration', detail },
      })
    }
    const wrong = { configuration: { roles: { web: { certificates: { sit: pemOf(renewed) } } } } }
    t.match((await ask('POST', `${slotOf('shop')}/configuration`, wrong)).json, {
      detail: /no certificate "sit"; it has site/,
    })
    const torn = `{"configuration":{"roles":{"web":{"certificates":{"site":"${renewed.key}"`
    const answer = await ask('POST', `${slotOf('shop')}/configuration`, torn, { 'content-type': 'application/json' })
    t.match(answer, { status: 400, json: { detail: /not JSON/ } })
    const number = { configuration: { roles: { web: { certificates: { site: { key: renewed.key } } } } } }
    t.match(await ask('POST', `${slotOf('shop')}/configuration`, number), { status: 400 })
    t.strictSame(keys(), [renewed.key])
  })

  await t.test(
    'a service without a certificate, or with one that is at odds with another service, is refused',
    async t => {
      t.match(await deploy('bare', null), {
        status: 422,
        json: { code: 'invalid_configuration', detail: /role web, certificate site: the package brings none/ },
      })
      const host = 'hostNames: { production: shop.localhost, staging: staging.rival.localhost }'
      t.match(await deploy('rival', rival, host), {
        status: 409,
        json: {
          code: 'certificate_conflict',
          detail: /service rival .* and service shop .* different certificates for the same host name shop.localhost/,
        },
      })
      t.match((await ask('GET', '/v1/services/rival')).status, 404)
      t.match(await deploy('blog', blog), { json: { status: 'Succeeded' } })
      t.strictSame(keys().toSorted(), [renewed.key, blog.key].toSorted(), 'under another host name it shares the port')
    },
  )

  await t.test('a plan says what will not last', async t => {
    const soon = await makeCertificate({ names: ['blog.localhost'], days: 1 })
    const { digest } = (await ask(...upload(await packed(t, 'blog', blog)))).json
    const plan = await ask('POST', `${slotOf('blog')}/plan`, { upgrade: { package: digest, ...siteOf(pemOf(soon)) } })
    t.match(plan.json, { outcome: 'changes' })
    t.match(plan.body, /role web, certificate site: expires on [-\d]+, within a day; `vipswap config apply` renews it/)
  })

  await t.test('the next controller tells the proxy the same', async t => {
    for (const path of ['/v1/services', '/v1/operations', '/v1/nodes', '/metrics']) await ask('GET', path)
    for (const { id } of (await ask('GET', '/v1/operations')).json['operations'] as { id: string }[]) {
      await ask('GET', `/v1/operations/${id}/receipt`)
    }
    await first.stop()
    const store = await openLevelStore({ directory: join(directory, 'data/store') })
    const holding: string[] = []
    for await (const [key, value] of store.range('')) {
      if (JSON.stringify(value).includes('PRIVATE KEY')) holding.push(key.split('/')[0] ?? '')
    }
    await store.close()
    t.strictSame([...new Set(holding)], ['certificate'], 'keys are records of their own')
    const before = proxy.table
    const second = await rig(t, directory)
    await until('a table of the new term', () => (proxy.table?.revision.term ?? 0) > (before?.revision.term ?? 0))
    t.strictSame(proxy.table?.certificates, before?.certificates)
    t.strictSame(proxy.table?.listeners, before?.listeners)
    first.said.push(...second.said)
  })

  const secrets = [brought, renewed, blog, rival, expired].flatMap(({ key }) => key.split('\n').slice(1, 3))
  const everything = first.said.join('\n')
  t.ok(everything.length > 10_000, 'there was something to look through')
  t.notMatch(everything, /PRIVATE KEY|BEGIN CERTIFICATE/, 'no answer and no log line shows PEM')
  for (const line of secrets) t.notOk(everything.includes(line.slice(0, 30)), 'nor a piece of a key')
})
