import { once } from 'node:events'
import { createServer } from 'node:net'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { startAdmin } from '../../../src/admin/server.ts'
import { runCli } from '../../../src/cli/program.ts'
import { VipswapError } from '../../../src/core/errors.ts'
import { silentLogger } from '../../../src/core/logger.ts'
import { makeCertificate } from '../../support/certificates.ts'
import { tempDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { FakeController } from '../admin/fake-controller.ts'
import { fakeTerminal, type FakeTerminal } from './fake-terminal.ts'

const MAIN = fileURLToPath(new URL('../../../src/cli/main.js', import.meta.url))

async function fabric(t: Test, options: { token?: string; service?: boolean } = {}) {
  const api = new FakeController()
  api.ending = 'Succeeded'
  if (options.service !== false) api.addService('guestbook', { production: '1.0.0', staging: '1.5.0' })
  const admin = await startAdmin({
    api,
    port: 0,
    log: silentLogger(),
    ...(options.token === undefined ? {} : { token: options.token }),
  })
  t.teardown(() => admin.close())
  const begin = (argv: readonly string[], how: Parameters<typeof fakeTerminal>[0] = {}) => {
    const terminal = fakeTerminal({ ...how, env: { VIPSWAP_ADMIN: admin.url, ...how.env } })
    return { terminal, ended: runCli(argv, terminal) }
  }
  const run = async (...argv: string[]): Promise<FakeTerminal & { code: number }> => {
    const { terminal, ended } = begin(argv)
    const code = await ended
    return { ...terminal, code }
  }
  const last = () => api.commands.at(-1)?.command
  return { api, begin, run, last, url: admin.url }
}

function guestbook(t: Test): string {
  const directory = join(tempDir(t), 'guestbook')
  mkdirSync(join(directory, '.git'), { recursive: true })
  writeFileSync(
    join(directory, 'service.yaml'),
    'name: guestbook\nversion: 1.0.0\nroles:\n  web:\n    command: node server.js\n    endpoints: { http: { port: 8080 } }\n',
  )
  writeFileSync(join(directory, 'server.js'), '// serves\n')
  return directory
}

t.test('every changing verb sends its command, waits, and ends with 0', async t => {
  const { api, run, last } = await fabric(t)
  const directory = guestbook(t)
  const policy = join(directory, 'policy.yaml')
  writeFileSync(policy, 'healthCheckStableDuration: 5s\nroles: { web: { maxPercentUnhealthy: 10 } }\n')
  const config = join(directory, 'other.yaml')
  writeFileSync(config, 'roles:\n  web:\n    instances: 3\n    settings: { Greeting: hello, Size: 4 }\n')
  const configuration = { roles: { web: { instances: 3, settings: { Greeting: 'hello', Size: '4' } } } }
  const where = { service: 'guestbook', slot: 'production' }
  const cases: [string[], object][] = [
    [['deploy', directory], { kind: 'create', ...where, replace: false }],
    [
      ['deploy', directory, '--slot', 'staging', '--replace', '--label', 'x', '--config', config, '--service', 'other'],
      { kind: 'create', service: 'other', slot: 'staging', replace: true, label: 'x', configuration },
    ],
    [['swap', '--service', 'guestbook'], { kind: 'swap', service: 'guestbook' }],
    [
      ['--service', 'guestbook', 'swap', 'prepare', '--expect', 'dep-a,-'],
      { kind: 'swap', phase: 'prepare', expect: { production: 'dep-a', staging: null } },
    ],
    [
      ['upgrade', directory, '--mode', 'manual', '--role', 'web', '--restart-unchanged', '--config', config],
      {
        kind: 'upgrade',
        ...where,
        mode: 'manual',
        role: 'web',
        force: false,
        restartUnchanged: true,
        overlap: false,
        configuration,
      },
    ],
    [
      ['upgrade', directory, '--policy', 'service-fabric'],
      { kind: 'upgrade', ...where, policy: { extends: 'service-fabric' } },
    ],
    [
      ['upgrade', 'set', '--policy', policy, '--service', 'guestbook'],
      {
        kind: 'changeUpgrade',
        ...where,
        policy: { healthCheckStableDuration: '5s', roles: { web: { maxPercentUnhealthy: 10 } } },
      },
    ],
    [['upgrade', 'set', '--mode', 'auto', '--service', 'guestbook'], { kind: 'changeUpgrade', ...where, mode: 'auto' }],
    [['walk', '--service', 'guestbook'], { kind: 'walk', ...where }],
    [['walk', '--domain', '2', '--service', 'guestbook'], { kind: 'walk', domain: 2 }],
    [['rollback', '--service', 'guestbook', '--mode', 'manual'], { kind: 'rollback', ...where, mode: 'manual' }],
    [['config', 'apply', config, '--service', 'guestbook'], { kind: 'configure', ...where, configuration }],
    [
      ['config', 'apply', config, '--mode', 'manual', '--service', 'guestbook'],
      { kind: 'configure', ...where, configuration, mode: 'manual' },
    ],
    [
      ['scale', 'web=4', 'worker=0', '--service', 'guestbook'],
      { kind: 'configure', configuration: { roles: { web: { instances: 4 }, worker: { instances: 0 } } } },
    ],
    [
      ['suspend', '--slot', 'staging', '--service', 'guestbook'],
      { kind: 'status', slot: 'staging', status: 'Suspended' },
    ],
    [['start', '--service', 'guestbook'], { kind: 'status', status: 'Running' }],
    [['reboot', 'web_IN_0', '--service', 'guestbook'], { kind: 'reboot', instance: 'web_IN_0' }],
    [['reimage', 'web_IN_1', '--service', 'guestbook'], { kind: 'reimage', instance: 'web_IN_1' }],
    [['drain', 'web_IN_0', '--service', 'guestbook'], { kind: 'drain', ...where, instance: 'web_IN_0' }],
    [['undrain', 'web_IN_0', '--service', 'guestbook'], { kind: 'undrain', ...where, instance: 'web_IN_0' }],
    [['node', 'drain', 'node-0'], { kind: 'drainNode', node: 'node-0' }],
    [['node', 'undrain', 'node-0'], { kind: 'undrainNode', node: 'node-0' }],
    [['pause', '--service', 'guestbook'], { kind: 'pause', ...where, timeoutMs: 30_000 }],
    [
      ['pause', '--timeout', '2m', '--slot', 'staging', '--service', 'guestbook'],
      { kind: 'pause', slot: 'staging', timeoutMs: 120_000 },
    ],
    [['resume', '--service', 'guestbook'], { kind: 'resume', ...where }],
    [['force', 'op-1'], { kind: 'force', operation: 'op-1' }],
    [['delete', '--slot', 'staging', '--service', 'guestbook'], { kind: 'delete', slot: 'staging' }],
    [['delete', '--all', '--service', 'guestbook'], { kind: 'deleteService', service: 'guestbook' }],
  ]
  for (const [argv, command] of cases) {
    await t.test(argv.filter(word => !word.startsWith('/')).join(' '), async t => {
      const { code, stderr } = await run(...argv)
      t.equal(code, 0, stderr)
      t.match(last(), command)
      t.match(stderr, /succeeded .*\(op-\d+\)/)
    })
  }
  t.match(api.uploads, [{ kind: 'gzip' }, { kind: 'gzip' }, { kind: 'gzip' }])
  t.equal(new Set(api.uploads.map(each => each.digest)).size, 1, 'the same directory is the same archive')
})

t.test('a configuration brings the certificates of the files that it names, relative to itself', async t => {
  const { api, run, last } = await fabric(t)
  const directory = tempDir(t)
  const made = await makeCertificate({ names: ['shop.test'] })
  mkdirSync(join(directory, 'tls'))
  writeFileSync(join(directory, 'tls/site.pem'), made.chain)
  writeFileSync(join(directory, 'tls/site.key'), made.key)
  const config = join(directory, 'service.config.yaml')
  const apply = async (certificates: string) => {
    writeFileSync(config, `roles: { web: { certificates: { site: ${certificates} } } }\n`)
    return run('config', 'apply', config, '--service', 'guestbook')
  }
  t.match(await apply('{ cert: tls/site.pem, key: ./tls/site.key }'), { code: 0 })
  t.match(api.certificates, [{ chain: made.chain, key: made.key, names: ['shop.test'] }])
  const id = api.certificates[0]?.id
  t.strictSame(last(), {
    kind: 'configure',
    service: 'guestbook',
    slot: 'production',
    configuration: { roles: { web: { certificates: { site: { id } } } } },
  })
  for (const [written, stderr] of [
    ['tls/gone.pem', /role web, certificate site: tls\/gone.pem cannot be read; write the path of a PEM file/],
    ['tls/site.pem', /role web, certificate site: it holds no private key; give it beside the certificate/],
    [JSON.stringify(made.key), /role web, certificate site: PEM text is no path/],
  ] as const) {
    const refused = await apply(written)
    t.match(refused, { code: 1, stderr })
    t.match(refused.stderr, /\[invalid_configuration\]/)
    t.notMatch(refused.stderr, /PRIVATE KEY/)
  }
})

t.test('results go to standard output, all else to standard error', async t => {
  const { run, api } = await fabric(t)
  await t.test('for people', async t => {
    const { stdout, stderr } = await run('swap')
    t.match(stdout, /SLOT +VERSION +STATUS +READY +ADDRESS/)
    t.match(
      stdout,
      /production +1\.0\.0 +Running +2\/2 +http:\/\/127\.0\.0\.1:8080 +guestbook\.localhost +dep-production/,
    )
    t.match(stderr, /^\d{4}-.*Z swap guestbook: Succeeded\n/)
    t.match(stderr, /swap of guestbook succeeded after 0ms \(op-1\)\n$/)
  })
  await t.test('for programs, each document naming its schema', async t => {
    const documents: [string[], string][] = [
      [['swap'], 'vipswap.operation/1'],
      [['swap', '--no-wait'], 'vipswap.accepted/1'],
      [['status'], 'vipswap.status/1'],
      [['nodes'], 'vipswap.nodes/1'],
      [['operations'], 'vipswap.operations/1'],
      [['operations', 'op-1'], 'vipswap.operation/1'],
      [['operations', 'op-1', '-w'], 'vipswap.operation/1'],
      [['receipt', 'op-1'], 'vipswap.receipt/1'],
      [['plan', 'swap'], 'vipswap.plan/1'],
      [['gc'], 'vipswap.gc/1'],
      [['validate', guestbook(t)], 'vipswap.package/1'],
    ]
    for (const [argv, schema] of documents) {
      const { stdout } = await run(...argv, '--json', '--quiet')
      t.match(JSON.parse(stdout), { schema }, argv.join(' '))
    }
    api.note('one')
    api.note('two')
    const lines = (await run('events', '--json')).stdout.trim().split('\n')
    t.match(
      lines.map(line => JSON.parse(line) as unknown),
      [{ schema: 'vipswap.event/1', seq: 1 }, { seq: 2 }],
    )
    t.match(JSON.parse((await run('status', '--service', 'none', '--json')).stdout), {
      schema: 'vipswap.error/1',
      code: 'service_not_found',
    })
  })
  await t.test('looking', async t => {
    t.match(
      (await run('status')).stdout,
      /^guestbook\n {2}SLOT[^]*PRODUCTION +VERSION[^]*web_IN_0 +1\.0\.0 +ReadyRole +0 +node-0 +in/,
    )
    t.match((await run('nodes')).stdout, /node-0 +online/)
    t.match((await run('operations')).stdout, /op-1 +swap +guestbook/)
    t.match((await run('operations', 'op-1')).stdout, /^swap of guestbook succeeded/)
    const receipt = (await run('receipt', 'op-1')).stdout
    t.match(receipt, /production web\/http d2 +1\.5\.0 +4 +4 +0 +0 +0 +0 +0 +0 +1\.\d\d ms/)
    t.match(receipt, /^1\.5\.0 +- +1\.00 ms \/ 5\.00 ms \/ 10 ms +1\.50 ms/m)
    t.match(receipt, /^0 +2 +\S+Z +1s500ms +10s +11s500ms\n1 +1 +\S+Z +- +- +-$/m)
    t.match(receipt, /requests {2}10 arrived, 10 answered[^]*switched {2}in 4\.2 ms/)
    t.match((await run('events', '--after', '1')).stdout, /^2026-\S+ +2 note: two\n$/)
    t.equal((await run('logs', 'web_IN_0')).stdout, 'one\ntwo\n')
    t.match((await run('gc')).stdout, /^abab/)
    t.match((await run('swap', '--no-wait')).stdout, /^op-\d+\n$/)
    t.equal((await run('swap', '--quiet')).stderr, '')
  })
})

t.test('traffic: a window, marks to begin one, and which there are', async t => {
  const { run, api } = await fabric(t)
  const whole = await run('traffic')
  t.match(whole, {
    code: 0,
    stdout: /production web\/http d1 +1\.0\.0 +100 +97 +0 +1 +1 +1 +5 +1 +1 +9\.9 +1\.50 ms +12 ms/,
  })
  t.match(whole.stdout, /^total/m)
  t.match(whole.stdout, /held at most 120ms\nbroken by timeout 1/)
  t.match(whole.stderr, 'vipswap traffic --since m-next')
  t.match(await run('traffic', '--mark', 'before the sale'), { code: 0, stdout: 'm-1\n' })
  t.match(await run('traffic', '--mark'), { code: 0, stdout: 'm-2\n' })
  t.match(api.marked, [{ label: 'before the sale' }, { label: null }])
  t.match(await run('traffic', '--marks'), { code: 0, stdout: /m-1 .* before the sale\nm-2 / })
  const json = await run('traffic', '--since', 'm-1', '--json')
  t.match(JSON.parse(json.stdout), { schema: 'vipswap.traffic/1', mark: 'm-1', totals: { arrived: 100 } })
  t.match(await run('traffic', '--since', 'm-9'), { code: 1, stderr: /mark_not_found/ })
  t.match(await run('traffic', '--since', 'm-1', '--marks'), { code: 2, stderr: /one of --since/ })
})

t.test('which service is meant', async t => {
  const { run, api } = await fabric(t, { service: false })
  t.match(await run('swap'), { code: 1, stderr: /vipswap deploy PACKAGE.*\[service_not_found\]/ })
  t.match(await run('status'), { code: 0, stdout: /no service yet/ })
  api.addService('a')
  t.match(await run('swap'), { code: 0 })
  api.addService('b')
  t.match(await run('swap'), { code: 2, stderr: /several services \(a, b\); say which with --service NAME/ })
  t.match(await run('swap', '--service', 'c'), { code: 1, stderr: /there is no service "c"; there are: a, b/ })
})

t.test('exit statuses', async t => {
  const { run, api, begin } = await fabric(t)
  await t.test('2: the command line was wrong', async t => {
    for (const argv of [
      ['swop'],
      ['swap', 'now'],
      ['swap', '--slot', 'test'],
      ['swap', '--expect', 'a'],
      ['deploy'],
      ['upgrade'],
      ['upgrade', 'set'],
      ['scale', 'web'],
      ['walk', '--domain', 'x'],
      ['swap', '--timeout', 'soon'],
      ['status', '--admin', 'ftp://x'],
      ['up', '--nodes', '0'],
    ]) {
      const { code, stderr } = await run(...argv)
      t.equal(code, 2, argv.join(' '))
      t.not(stderr, '', argv.join(' '))
    }
    t.equal(api.commands.length, 0)
  })
  await t.test('0: help', async t => {
    t.match(await run('--version'), { code: 0, stdout: /^\d+\.\d+\.\d+\n$/ })
    t.match(await run('--help'), { code: 0, stdout: /Usage: vipswap/ })
    t.match(await run('swap', '--help'), { code: 0, stdout: /--expect[^]*--idempotency-key/ })
  })
  await t.test('1: refused, with what blocks and the way out, in lines', async t => {
    api.refusal = new VipswapError('not_ready', 'staging is not ready', {
      blockers: [{ code: 'not_ready', message: 'web_IN_0 is BusyRole' }],
    })
    const { code, stderr, stdout } = await run('swap')
    t.equal(code, 1)
    t.equal(stderr, 'vipswap: staging is not ready [not_ready]\n  web_IN_0 is BusyRole [not_ready]\n')
    t.equal(stdout, '')
  })
  await t.test('2: also as a JSON document', async t => {
    const { code, stdout } = await run('swap', '--expct', 'd1', '--json')
    t.equal(code, 2)
    t.match(JSON.parse(stdout), { schema: 'vipswap.error/1', code: 'usage', message: /^unknown option '--expct'/ })
    t.match(await run('nonsense', '--json'), { code: 2, stdout: /"vipswap.error\/1"/ })
  })
  await t.test('1: failed or rolled back', async t => {
    api.ending = 'RolledBack'
    t.match(await run('walk'), { code: 1, stderr: /was rolled back/ })
    api.ending = 'Failed'
    t.match(await run('walk', '--json'), { code: 1, stdout: /"status":"Failed"/ })
  })
  await t.test('1: nobody there', async t => {
    const terminal = fakeTerminal()
    t.equal(await runCli(['status', '--admin', '127.0.0.1:1'], terminal), 1)
    t.match(
      terminal.stderr,
      /nothing listens at http:\/\/127\.0\.0\.1:1; start it with "vipswap up".*\[unreachable\]\n$/,
    )
  })
  await t.test('124: the time is up, and the operation goes on', async t => {
    api.ending = null
    const { code, stderr } = await run('walk', '--timeout', '30ms')
    t.equal(code, 124)
    t.match(stderr, /has not ended after 30ms; it goes on\. Watch it again: vipswap operations op-\d+ -w/)
  })
  await t.test('130: Ctrl-C detaches', async t => {
    const { terminal, ended } = begin(['walk'])
    await until('progress is shown', () => terminal.stderr.includes('waits for the test'))
    terminal.interrupt()
    t.equal(await ended, 130)
    const [, id = ''] = /Watch it again: vipswap operations (op-\d+) -w/.exec(terminal.stderr) ?? []
    t.match(api.operation(id), { status: 'InProgress' })
    const again = begin(['operations', id, '-w'])
    await until('it is watched', () => again.terminal.stderr !== '')
    api.update(id, { status: 'Succeeded' })
    t.equal(await again.ended, 0)
  })
  await t.test('130 also from what never ends by itself', async t => {
    for (const argv of [
      ['events', '-f'],
      ['logs', 'web_IN_0', '-f'],
      ['status', '-w'],
    ]) {
      const { terminal, ended } = begin(argv)
      api.note('something')
      await until('it prints', () => terminal.stdout !== '')
      terminal.interrupt()
      t.equal(await ended, 130, argv.join(' '))
    }
    t.equal(api.subscribers, 0)
  })
  await t.test('plan: 0 nothing to do, 2 changes, 1 refused', async t => {
    t.match(await run('plan', 'swap'), { code: 2, stdout: '1. exchange the slots\n' })
    await run('plan', 'swap', 'commit', '--verify', '--expect', 'd1,-')
    const expect = { production: 'd1', staging: null }
    t.match(api.planned.at(-1), { kind: 'swap', phase: 'commit', verify: true, expect })
    api.plans = { outcome: 'none', blockers: [], warnings: ['w'], steps: [] }
    t.match(await run('plan', 'upgrade', guestbook(t), '--mode', 'auto'), {
      code: 0,
      stdout: 'nothing to do\nwarning: w\n',
    })
    t.match(api.planned.at(-1), { kind: 'upgrade', mode: 'auto' })
    await run('plan', 'upgrade', guestbook(t), '--force', '--no-role-changes')
    t.match(api.planned.at(-1), { kind: 'upgrade', force: true, allowRoleChanges: false })
    api.plans = {
      outcome: 'refused',
      blockers: [{ code: 'slot_empty', message: 'staging is empty' }],
      warnings: [],
      steps: [],
    }
    t.match(await run('plan', 'swap'), { code: 1, stdout: 'refused: staging is empty [slot_empty]\n' })
  })
  await t.test('plan upgrade: domains, roles with their low-water mark and changes, cores', async t => {
    api.plans = {
      outcome: 'changes',
      blockers: [],
      warnings: ['w'],
      steps: ['domain 0: web_IN_0', 'domain 1: web_IN_1'],
      upgrade: {
        mode: 'auto',
        fromVersion: '1.0.0',
        toVersion: '2.0.0',
        domains: { declared: 5, effective: 2 },
        moves: [],
        changes: [],
        cores: { before: 2, after: 4, quota: 8 },
        roles: [
          {
            name: 'web',
            change: 'changed',
            fromVersion: '1.0.0',
            toVersion: '2.0.0',
            instances: { from: 2, to: 3 },
            lowWater: 1,
            changes: [
              { kind: 'size', what: 'size changes from S to L', inPlace: 'force', swap: 'yes', redeploy: 'yes' },
            ],
          },
          {
            name: 'more',
            change: 'added',
            fromVersion: null,
            toVersion: '2.0.0',
            instances: { from: 0, to: 1 },
            lowWater: 0,
            changes: [],
          },
        ],
      },
    }
    const { code, stdout } = await run('plan', 'upgrade', guestbook(t))
    t.equal(code, 2)
    t.strictSame(stdout.trimEnd().split('\n'), [
      'warning: w',
      '1.0.0 to 2.0.0, mode auto; 5 domains declared, 2 effective; cores 2 to 4 of 8',
      'ROLE  CHANGE   FROM   TO     INSTANCES  LOW-WATER',
      'web   changed  1.0.0  2.0.0  2 to 3     1',
      'more  added    -      2.0.0  0 to 1     0',
      'web: size changes from S to L (in place force, swap yes, redeploy yes)',
      '1. domain 0: web_IN_0',
      '2. domain 1: web_IN_1',
    ])
  })
})

t.test('flags of every verb', async t => {
  const { run, api, url } = await fabric(t, { token: 's3cret' })
  t.match(await run('status'), { code: 1, stderr: /--token/ })
  t.equal((await run('status', '--token', 's3cret')).code, 0)
  await run('swap', '--token', 's3cret', '--idempotency-key', 'k')
  t.equal(api.commands.at(-1)?.idempotencyKey, 'k')
  const terminal = fakeTerminal({ env: { VIPSWAP_TOKEN: 's3cret' } })
  t.equal(await runCli(['nodes', '--admin', url], terminal), 0)
})

t.test('packages that are none', async t => {
  const { run } = await fabric(t)
  const directory = tempDir(t)
  t.match(await run('deploy', join(directory, 'none')), { code: 1, stderr: /none does not exist/ })
  t.match(await run('deploy', directory), { code: 1, stderr: /no service\.yaml|is empty/ })
  writeFileSync(join(directory, 'x.txt'), 'hello')
  t.match(await run('deploy', join(directory, 'x.txt')), { code: 1, stderr: /is no directory, \.tar\.gz or \.zip/ })
  writeFileSync(join(directory, 'service.yaml'), 'name: x\n')
  t.match(await run('validate', directory), {
    code: 1,
    stderr: /^vipswap: (one fault|\d faults) to correct \[invalid_definition\]\n {2}.*service\.yaml/,
  })
  writeFileSync(join(directory, 'bad.yaml'), 'roles: 5\n')
  t.match(await run('config', 'apply', join(directory, 'bad.yaml')), { code: 1, stderr: /\[invalid_configuration\]/ })
})

t.test('a vipswap.yaml is checked by itself, and holds for up where no flag says otherwise', async t => {
  const directory = tempDir(t)
  const file = join(directory, 'vipswap.yaml')
  const run = async (...argv: string[]) => {
    const terminal = fakeTerminal()
    return { code: await runCli(argv, terminal), stdout: terminal.stdout, stderr: terminal.stderr }
  }
  const takenPort = async (): Promise<number> => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.teardown(() => server.close())
    const address = server.address()
    return typeof address === 'object' ? (address?.port ?? 0) : 0
  }
  const [written, named] = [await takenPort(), await takenPort()]
  writeFileSync(file, `admin: { port: ${written} }\nquota: { cores: 4 }\n`)
  t.match(await run('validate', file), { code: 0, stdout: /is a valid fabric configuration/, stderr: '' })
  t.match(JSON.parse((await run('validate', file, '--json')).stdout), { warnings: [] })
  const paged = join(directory, 'paged.yaml')
  writeFileSync(paged, 'maintenancePage: pages/sorry.html\n')
  t.match(await run('validate', paged), { code: 1, stderr: /"pages\/sorry.html", which cannot be read/ })
  mkdirSync(join(directory, 'pages'))
  writeFileSync(join(directory, 'pages/sorry.html'), '<p>Back soon')
  t.match(await run('validate', paged), { code: 0, stderr: '' }, 'its page is looked for beside it')

  const up = ['up', '--data', join(directory, 'data'), '--config', file]
  const inUse = (port: number): RegExp => new RegExp(`the admin address 127\\.0\\.0\\.1:${port} is in use`)
  const byFile = await run(...up)
  t.match(byFile, { code: 1, stderr: inUse(written) })
  t.match(await run(...up, '--admin', `127.0.0.1:${named}`), { code: 1, stderr: inUse(named) })
  t.match(await run(...up, '--admin', '127.0.0.1:0'), { code: 2, stderr: /from 1 to 65535/ })

  writeFileSync(file, 'workers: many\nadmin: { prt: 1 }\n')
  for (const argv of [['validate', file], up]) {
    const { code, stderr } = await run(...argv)
    t.equal(code, 1)
    t.match(
      stderr,
      /^vipswap: 2 faults to correct \[invalid_configuration\]\n {2}.*yaml:1:10 workers: .*\n {2}.*write port\n$/,
    )
  }
  t.match(await run('up', '--config', join(directory, 'none.yaml')), { code: 2, stderr: /cannot be read \(ENOENT\)/ })
  writeFileSync(join(directory, 'service.yaml'), 'name: x\n')
  t.match(await run('validate', join(directory, 'service.yaml')), { code: 2, stderr: /name the folder/ })
})

t.test('on a terminal, progress is redrawn in place with a bar per upgrade domain', async t => {
  const { api, begin } = await fabric(t)
  api.ending = null
  const { terminal, ended } = begin(['walk'], { redraws: true })
  await until('the first picture', () => terminal.stderr.includes('waits for the test'))
  const domains = [
    { domain: 0, done: 2, total: 2 },
    { domain: 1, done: 1, total: 2 },
  ]
  api.update('op-1', { progress: { step: 'walking', percent: 75, message: 'web_IN_1 starts', domains } })
  await until('the second', () => terminal.stderr.includes('web_IN_1 starts'))
  t.match(terminal.stderr, '\u001b[1A\u001b[0J')
  t.match(terminal.stderr, `  domain  0 ${'#'.repeat(20)} 2/2\n  domain  1 ${'#'.repeat(10)}${'.'.repeat(10)} 1/2\n`)
  api.update('op-1', { status: 'Succeeded' })
  t.equal(await ended, 0)
})

t.test('the binary itself', async t => {
  const { url } = await fabric(t)
  const run = promisify(execFile)
  const { stdout } = await run(process.execPath, [MAIN, 'status', '--json', '--admin', url])
  t.match(JSON.parse(stdout), { schema: 'vipswap.status/1', services: [{ name: 'guestbook' }] })
  await t.rejects(run(process.execPath, [MAIN, 'swop']), { code: 2 })
})

t.test('a policy that is wrong is refused with the place of each fault', async t => {
  const { run, api } = await fabric(t)
  const directory = guestbook(t)
  const policy = join(directory, 'policy.yaml')
  writeFileSync(policy, 'failureAction: panic\nbaseline: 1\n')
  const wrong = await run('upgrade', directory, '--policy', policy)
  t.equal(wrong.code, 1)
  t.match(wrong.stderr, /invalid_policy/)
  t.match(wrong.stderr, /policy\.yaml:1:16 failureAction: found "panic"/)
  t.match(wrong.stderr, /policy\.yaml:2:11 baseline: found 1; write true or false/)
  const missing = await run('upgrade', directory, '--policy', 'service-fabrik')
  t.match(missing.stderr, /service-fabrik cannot be read.*write a file, or default or service-fabric/)
  t.strictSame(api.commands, [])
})

t.test('health is shown with its reasons, and reported', async t => {
  const { run, api } = await fabric(t)
  const shown = await run('health')
  t.equal(shown.code, 0)
  t.match(shown.stdout, /dep-production Warning\n\s+ROLE.*\n.*web\s+Ok.*\n\s+Warning deployment: probe\/latency: slow/)
  t.match(JSON.parse((await run('health', '--json')).stdout), { schema: 'vipswap.health/1', state: 'Warning' })
  const argv = [
    'health',
    'report',
    'probe',
    'basket',
    '--state',
    'Error',
    '--instance',
    'web_IN_0',
    '--ttl',
    '1m30s',
    '--remove',
  ]
  t.match(await run(...argv, '--sequence', '4', '--description', 'empty'), { code: 0, stdout: /dep-production Error/ })
  t.strictSame(api.reports, [
    {
      kind: 'health-reported',
      service: 'guestbook',
      slot: 'production',
      instance: 'web_IN_0',
      report: {
        source: 'probe',
        property: 'basket',
        state: 'Error',
        description: 'empty',
        removeWhenExpired: true,
        ttlMs: 90_000,
        sequence: 4,
      },
    },
  ])
  t.equal((await run('health', 'report', 'probe', 'basket')).code, 2, 'a state is needed')
})
