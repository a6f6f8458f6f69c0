import t from 'tap'
import { smallPackage, startSystem } from './support/system.ts'

t.test('versions move between the slots, addresses never do', async t => {
  const system = await startSystem(t)
  const [test1, test2, test3] = ['1.0.0', '2.0.0', '3.0.0'].map(version => smallPackage(t, { version }))
  const answers = async (): Promise<string[]> =>
    Promise.all([production, staging].map(async url => (await (await fetch(url)).text()).trim()))
  const run = async (...words: string[]): Promise<void> => {
    const { code, stderr } = await system.cli(...words)
    t.equal(code, 0, `vipswap ${words.join(' ')}: ${stderr}`)
  }

  await run('deploy', test1 ?? '')
  await run('deploy', test2 ?? '', '--slot', 'staging')
  const production = await system.url('small', 'production')
  const staging = await system.url('small', 'staging')
  const stay = async (): Promise<void> => {
    t.equal(await system.url('small', 'production'), production)
    t.equal(await system.url('small', 'staging'), staging)
  }
  t.same(await answers(), ['1.0.0', '2.0.0'], 'Test1 in production, Test2 in staging')

  await run('swap')
  t.same(await answers(), ['2.0.0', '1.0.0'])
  await stay()

  await run('deploy', test3 ?? '', '--slot', 'staging', '--replace')
  t.same(await answers(), ['2.0.0', '3.0.0'], 'Test3 took the place of Test1')

  await run('swap')
  t.same(await answers(), ['3.0.0', '2.0.0'])
  await run('swap')
  t.same(await answers(), ['2.0.0', '3.0.0'], 'and back at once')
  await stay()

  await run('delete', '--slot', 'staging')
  t.equal((await fetch(staging)).status, 503, 'an empty slot keeps listening')
  t.equal((await fetch(production)).status, 200)
  await run('suspend')
  const suspended = await fetch(production)
  t.equal(suspended.status, 503)
  t.ok(suspended.headers.get('proxy-status'), 'the proxy says that it answered itself')
  await run('start')
  t.equal((await fetch(production)).status, 200)
})
