import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { projectRoot } from '../../bench/system/packages.ts'
import { examplePackage, startSystem, type System } from './support/system.ts'

interface Report {
  readonly answered: number
  readonly failed: number
  readonly failures: Record<string, number>
  readonly byLanguage: Record<string, number>
}

/** The example's own client program, as a user would run it, until told to stop. */
function startClient(
  t: Test,
  url: string,
): { stop(): Promise<{ code: number | null; report: Report }>; speaks(language: string): Promise<void> } {
  const client = spawn(process.execPath, [join(projectRoot(), 'examples/guestbook/client.js'), url, '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'] },
  })
  t.teardown(() => client.kill('SIGKILL'))
  let out = ''
  let log = ''
  client.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  client.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text
    client.emit('said')
  })
  return {
    speaks: async language => {
      while (!log.includes(`to ${language}`)) await once(client, 'said')
    },
    stop: async () => {
      client.kill('SIGINT')
      const [code] = (await once(client, 'close')) as [number | null] // the event's documented arguments
      return { code, report: JSON.parse(out) as Report } // printed by the program we ship
    },
  }
}

async function run(t: Test, system: System, ...words: string[]): Promise<void> {
  const { code, stderr } = await system.cli(...words)
  t.equal(code, 0, `vipswap ${words.join(' ')}: ${stderr}`)
}

t.test('a protocol changes in two steps in place, under a client that never notices', async t => {
  const system = await startSystem(t)
  await run(t, system, 'deploy', examplePackage(t, 'guestbook/1.0.0'))
  const url = await system.url('guestbook', 'production')
  const client = startClient(t, url)
  await run(t, system, 'upgrade', examplePackage(t, 'guestbook/1.5.0'), '--mode', 'auto')
  await client.speaks('V2')
  await run(t, system, 'upgrade', examplePackage(t, 'guestbook/2.0.0'), '--mode', 'auto')
  const { code, report } = await client.stop()
  t.equal(code, 0)
  t.equal(report.failed, 0, `${report.answered} answered: ${JSON.stringify(report.failures)}`)
  t.ok((report.byLanguage['V1'] ?? 0) > 0 && (report.byLanguage['V2'] ?? 0) > 0, 'both languages were spoken')
  t.equal(await system.url('guestbook', 'production'), url)
})

t.test('leaving the step in between out is refused, and shows in the client when it is forced', async t => {
  const system = await startSystem(t)
  await run(t, system, 'deploy', examplePackage(t, 'guestbook/1.0.0'))
  const refused = await system.cli('upgrade', examplePackage(t, 'guestbook/2.0.0'), '--mode', 'auto')
  t.equal(refused.code, 1)
  t.match(refused.stderr, />=1\.5\.0/, 'it names the version to go to first')

  const client = startClient(t, await system.url('guestbook', 'production'))
  const unguarded = examplePackage(t, 'guestbook/2.0.0', definition => definition.replace(/^requires:.*\n/m, ''))
  await run(t, system, 'upgrade', unguarded, '--mode', 'auto')
  const { code, report } = await client.stop()
  t.equal(code, 1, 'the client says so')
  t.ok(report.failed > 0, `${report.failed} of ${report.answered + report.failed} were not understood`)
})

t.test('half-way through a manual walk the upgrade is rolled back, and only what had moved moves again', async t => {
  const system = await startSystem(t)
  await run(t, system, 'deploy', examplePackage(t, 'guestbook/1.0.0'))
  const client = startClient(t, await system.url('guestbook', 'production'))
  const instances = async () => (await system.client.service('guestbook')).slots.production?.instances ?? []
  const before = await instances()
  await run(t, system, 'upgrade', examplePackage(t, 'guestbook/1.5.0'), '--mode', 'manual')
  t.same(
    (await instances()).map(({ version }) => version),
    ['1.0.0', '1.0.0', '1.0.0', '1.0.0'],
    'nothing before the first walk',
  )
  const early = await system.cli('walk', '--domain', '2')
  t.equal(early.code, 1)
  t.match(early.stderr, /next domain is 0/)
  await run(t, system, 'walk')
  await run(t, system, 'walk', '--domain', '1')
  t.same(
    (await instances()).map(({ version }) => version),
    ['1.5.0', '1.5.0', '1.0.0', '1.0.0'],
  )
  const swap = await system.cli('swap')
  t.equal(swap.code, 1, 'no swap while an upgrade is under way')
  await run(t, system, 'rollback')
  const after = await instances()
  t.same(
    after.map(({ version }) => version),
    ['1.0.0', '1.0.0', '1.0.0', '1.0.0'],
  )
  t.same(
    after.slice(2).map(({ pid }) => pid),
    before.slice(2).map(({ pid }) => pid),
    'domains 2 and 3 were never touched',
  )
  const { report } = await client.stop()
  t.equal(report.failed, 0, JSON.stringify(report.failures))
  const again = await system.cli('rollback')
  t.equal(again.code, 1)
  t.match(again.stderr, /no upgrade is in progress/)
})
