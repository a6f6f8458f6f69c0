import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ApiDocument } from '../support/api-document.ts'
import { shownExpressions } from '../support/dashboards.ts'
import { parsePrometheus } from '../support/prometheus.ts'
import { readPromql } from '../support/promql.ts'
import { until } from '../support/until.ts'
import { smallPackage, startSystem, type System } from './support/system.ts'

const S = '/v1/services/small'
const SLOT = `${S}/slots/production`
const INSTANCE = `${SLOT}/instances/web_IN_0`

/** Calls the running system, and checks every answer against its own document. */
class Checked {
  readonly called = new Set<string>()
  readonly document: ApiDocument
  readonly #t: Test
  readonly #admin: string

  constructor(t: Test, system: System, document: Record<string, unknown>) {
    this.#t = t
    this.#admin = system.admin
    this.document = new ApiDocument(document)
  }

  async call(
    method: string,
    path: string,
    options: { body?: object; raw?: Buffer; headers?: Record<string, string> } = {},
  ): Promise<{ status: number; headers: Headers; json: Record<string, unknown>; text: string }> {
    const { body, raw, headers = {} } = options
    const id = this.document.find(method, path.replace(/\?.*$/, ''))?.id ?? 'none'
    this.called.add(id)
    const answer = await fetch(this.#admin + path, {
      method,
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(raw !== undefined ? { body: new Uint8Array(raw) } : body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    const type = answer.headers.get('content-type')
    this.#t.strictSame(this.document.faults(id, { status: answer.status, type, body: text }), [], `${method} ${path}`)
    const json = type?.includes('json') === true ? (JSON.parse(text) as Record<string, unknown>) : {}
    return { status: answer.status, headers: answer.headers, json, text }
  }

  /** A command, to its end. */
  async done(method: string, path: string, body?: object): Promise<Record<string, unknown>> {
    const answer = await this.call(method, `${path}?wait=60`, body === undefined ? {} : { body })
    this.#t.match(answer.json, { status: 'Succeeded' }, `${method} ${path}`)
    return answer.json
  }
}

t.test(
  'the real system answers every call as its document says, and can be followed through logs and metrics',
  async t => {
    const system = await startSystem(t)
    const document = (await (await fetch(`${system.admin}/openapi.json`)).json()) as Record<string, unknown>
    const api = new Checked(t, system, document)
    const digests: string[] = []
    for (const version of ['1.0.0', '1.1.0']) {
      const { code, stderr } = await system.cli(
        'deploy',
        smallPackage(t, { version, instances: 2 }),
        '--slot',
        version === '1.0.0' ? 'production' : 'staging',
      )
      t.equal(code, 0, stderr)
    }
    for (const slot of ['production', 'staging'] as const)
      digests.push((await system.client.deployment('small', slot)).package)

    await t.test('reading', async () => {
      for (const path of [
        '/v1/services',
        S,
        SLOT,
        `${SLOT}/health`,
        `${INSTANCE}/logs`,
        `${INSTANCE}/explain`,
        '/v1/operations',
        '/v1/nodes',
        `${S}/traffic`,
        `${S}/traffic/marks`,
        `${S}/traffic/series?seconds=5`,
      ]) {
        t.equal((await api.call('GET', path)).status, 200, path)
      }
      for (const path of [
        '/v1/events?follow=0',
        '/openapi.json',
        '/api',
        '/api/errors',
        '/healthz',
        '/readyz',
        '/metrics',
      ]) {
        t.equal((await api.call('GET', path)).status, 200, path)
      }
      for (const path of [
        '/v1/services/none',
        `${S}/slots/test`,
        '/v1/operations/op-999',
        `${SLOT}/instances/x/logs`,
      ]) {
        t.ok((await api.call('GET', path)).status >= 400, path)
      }
      t.equal((await api.call('GET', `${INSTANCE}/proxy/`)).text, '1.0.0\n')
      t.equal((await api.call('GET', `${INSTANCE}/proxy`)).text, '1.0.0\n')
    })

    await t.test('under its tag a service is changed once', async t => {
      const { headers } = await api.call('GET', S)
      const tag = { 'if-match': headers.get('etag') ?? '' }
      t.equal((await api.call('GET', S, { headers: { 'if-none-match': '"x"' } })).status, 200)
      const key = { 'idempotency-key': '"swap-once"' }
      const [first, again] = await Promise.all([
        api.call('POST', `${S}/swap`, { headers: { ...tag, ...key } }),
        api.call('POST', `${S}/swap`, { headers: { ...tag, ...key } }),
      ])
      t.match([first.status, again.status], [202, 202], 'the second of two at once is the first')
      t.same(again.json, first.json)
      t.match(await api.call('POST', `${S}/swap`, { headers: tag }), {
        status: 412,
        json: { code: 'precondition_failed' },
      })
      const other = await api.call('POST', `${S}/swap`, { body: { verify: false }, headers: key })
      t.match(other, { status: 422, json: { code: 'idempotency_conflict' } })
      const { operationId } = first.json as { operationId: string }
      t.match((await api.call('GET', `/v1/operations/${operationId}?wait=30`)).json, {
        status: 'Succeeded',
        by: 'local',
      })
      t.match((await api.call('GET', `/v1/operations/${operationId}/receipt`)).json, {
        by: 'local',
        totals: { broken: 0 },
      })
      const late = await api.call('POST', `${S}/swap?wait=30`, { headers: { ...tag, ...key } })
      t.match(late, { status: 200, json: { id: operationId } }, 'a retry, whatever holds now')
      await api.done('POST', `${S}/swap`)
    })

    let upgrade = ''
    await t.test('changing', async t => {
      for (const kind of ['reboot', 'reimage', 'drain', 'undrain']) await api.done('POST', `${INSTANCE}/${kind}`)
      await api.done('POST', `${SLOT}/configuration`, { configuration: { roles: { web: { instances: 3 } } } })
      await api.done('POST', `${SLOT}/status`, { status: 'Suspended' })
      await api.done('POST', `${SLOT}/status`, { status: 'Running' })
      t.match((await api.call('POST', `${INSTANCE}/open`)).json, { url: /[a-z2-7]{26}.*\/$/ })
      t.match((await api.call('POST', `${SLOT}/plan`, { body: { upgrade: { package: digests[1] } } })).json, {
        outcome: 'changes',
      })
      t.match((await api.call('POST', `${SLOT}/plan`, { body: {} })).json, { outcome: 'changes' })
      await api.call('POST', `${SLOT}/health`, { body: { source: 'test', property: 'p', state: 'Ok', ttl: '1h' } })

      const begun = await api.call('POST', `${SLOT}/upgrade`, {
        body: { package: digests[1], mode: 'unmonitored-manual' },
        headers: { 'x-request-id': 'deploy-4711' },
      })
      upgrade = String(begun.json['operationId'])
      await api.call('PATCH', `${SLOT}/upgrade`, { body: { mode: 'manual' } })
      await until('the first domain is walked', async () => {
        const { upgradeStatus } = (await system.client.deployment('small', 'production')) as {
          upgradeStatus?: { waitingFor: string | null }
        }
        return upgradeStatus?.waitingFor?.includes('walk') === true
      })
      const shown = await api.call('GET', SLOT)
      t.match(shown.json, { upgradeStatus: { mode: 'manual', toVersion: '1.1.0' } })
      await api.done('POST', `${SLOT}/walk`)
      await api.done('POST', `${SLOT}/rollback`)
      await api.call('POST', `${SLOT}/walk`)
      await api.call('POST', `/v1/operations/${upgrade}/force`)
      await api.done('POST', `${SLOT}/pause`, { timeout: '30s' })
      await api.done('POST', `${SLOT}/resume`)
      t.equal((await api.call('POST', `${S}/traffic/marks`, { body: { label: 'here' } })).status, 201)
      await api.done('POST', '/v1/nodes/node-1/drain')
      await api.done('POST', '/v1/nodes/node-1/undrain')
    })

    await t.test('an operation is found in the log of each process, under one id', async t => {
      const lines = (name: string): Record<string, unknown>[] =>
        readFileSync(join(system.data, 'logs', name), 'utf8')
          .split('\n')
          .filter(line => line.startsWith('{'))
          .map(line => JSON.parse(line) as Record<string, unknown>)
      const names = readdirSync(join(system.data, 'logs')).filter(name => name.endsWith('.log'))
      const controller = lines('controller.log').filter(({ operation }) => operation === upgrade)
      t.match(
        controller.find(({ command }) => command === 'upgrade'),
        { requestId: 'deploy-4711', by: 'local' },
        'the call that began it',
      )
      t.ok(
        controller.some(({ event }) => event === 'operation-started'),
        'the timeline',
      )
      const proxies = names.filter(name => name.startsWith('proxy'))
      t.ok(
        proxies.some(name =>
          lines(name).some(({ operations }) => Array.isArray(operations) && operations.includes(upgrade)),
        ),
        'a table that a proxy applied',
      )
      const agents = names.filter(name => name.startsWith('node'))
      t.equal(agents.length, 2)
      const walked = lines('controller.log').flatMap(({ operation, event }) =>
        event === 'operation-started' && typeof operation === 'string' ? [operation] : [],
      )
      t.ok(
        agents.some(name =>
          lines(name).some(({ operation, msg }) => operation === upgrade && String(msg).startsWith('started')),
        ),
        'a process that an agent started',
      )
      for (const name of agents) {
        for (const { operation } of lines(name))
          t.ok(operation === undefined || (typeof operation === 'string' && walked.includes(operation)))
      }
    })

    await t.test('/metrics has every metric of the dashboard, and counts what was done', async t => {
      const families = parsePrometheus((await api.call('GET', '/metrics')).text)
      for (const { where, expression } of shownExpressions()) {
        for (const { metric } of readPromql(expression).selected) {
          t.ok(families.has(metric) || families.has(metric.replace(/_(bucket|sum|count)$/, '')), `${where}: ${metric}`)
        }
      }
      const sum = (name: string, labels: Record<string, string> = {}): number =>
        (families.get(name)?.samples ?? [])
          .filter(sample => Object.entries(labels).every(([label, value]) => sample.labels[label] === value))
          .reduce((total, { value }) => total + value, 0)
      t.equal(sum('vipswap_swaps_total', { result: 'Succeeded' }), 2)
      t.equal(sum('vipswap_rollbacks_total', { cause: 'Interrupted' }), 1)
      t.ok(sum('vipswap_upgrade_domains_total', { direction: 'forward' }) >= 2)
      t.ok(sum('vipswap_drains_total', { result: 'empty' }) > 0)
      t.ok(sum('vipswap_health_checks_total', { result: 'passed' }) > 10)
      t.ok(sum('vipswap_role_starts_total') > 4)
      t.equal(sum('vipswap_role_restarts_total'), 0, 'nothing ended by itself')
      t.equal(families.get('vipswap_agent_instances')?.samples.length, 2, 'a series a node')
      t.equal(sum('vipswap_deployment_info', { slot: 'production', version: '1.0.0' }), 1)
      t.ok(sum('vipswap_controller_resident_memory_bytes') > 1e6)
      t.ok(sum('vipswap_agent_last_apply_timestamp_seconds', { node: 'node-1' }) > 1e9)
    })

    await t.test('deleting, and what was not called yet', async t => {
      await api.done('DELETE', `${S}/slots/staging`)
      await api.done('POST', `${S}/slots/staging`, { package: digests[1], label: 'again' })
      await api.done('DELETE', `${S}/slots/staging`)
      await api.done('DELETE', SLOT)
      await api.done('DELETE', S)
      t.equal((await api.call('POST', '/v1/gc')).status, 200)
      const upload = await api.call('POST', '/v1/packages', {
        raw: Buffer.from('no package'),
        headers: { 'content-type': 'application/gzip' },
      })
      t.equal(upload.status, 422)
      t.equal((await api.call('GET', '/v1/whoami')).status, 200)
      t.equal((await api.call('GET', '/v1/recovery')).status, 200)
      await api.call('POST', '/v1/recovery/accept')
      for (const [method, path] of [
        ['GET', '/v1/members'],
        ['POST', '/v1/join-tokens'],
        ['DELETE', '/v1/members/agent/node-7'],
      ] as const) {
        const options = method === 'POST' ? { body: { kind: 'agent' } } : {}
        t.equal((await api.call(method, path, options)).status, 409, `${path}: only with --links`)
      }
      const missed = api.document.operations
        .map(({ id }) => id)
        .filter(id => !api.called.has(id) && !/^askInstance(Root)?-/.test(id))
      t.strictSame(missed, [], 'every operation was called')
    })
  },
)
