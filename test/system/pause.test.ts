import t from 'tap'
import { until } from '../support/until.ts'
import { pidOf, smallPackage, startSystem } from './support/system.ts'

t.test('a pause under load refuses nobody, ends by itself without a controller, and everything is counted', async t => {
  const system = await startSystem(t, { config: 'balancerHealthPath: /lb\n' })
  t.equal((await system.cli('deploy', smallPackage(t, { version: '1.0.0', instances: 2 }))).code, 0)
  const url = await system.url('small', 'production')
  const mark = await system.cli('traffic', '--mark', 'before')
  t.equal(mark.code, 0, mark.stderr)

  const waiting: Promise<number>[] = []
  const ask = (): void => void waiting.push(fetch(url).then(async answer => (await answer.text(), answer.status)))
  const paused = await system.cli('pause', '--timeout', '1m')
  t.equal(paused.code, 0, paused.stderr)
  t.match((await system.cli('status')).stdout, /production web\/http: paused until \S+Z \(`vipswap resume`\)/)
  for (let n = 0; n < 20; n++) ask()
  t.equal((await fetch(`${url}/lb`)).status, 200, 'an outer balancer is answered')
  await until('they are held', async () => (await system.client.traffic('small', 'before')).totals.held === 20)
  t.equal((await system.cli('resume')).code, 0)
  t.strictSame(new Set(await Promise.all(waiting)), new Set([200]))

  t.equal((await system.cli('pause', '--timeout', '3s')).code, 0)
  for (let n = 0; n < 5; n++) ask()
  // It comes back and dies again: nobody tells the proxy that the pause is over.
  const dead = new Set<number>()
  const kill = setInterval(() => {
    try {
      const pid = pidOf(system, 'controller')
      if (!dead.has(pid)) process.kill(pid, 'SIGKILL')
      dead.add(pid)
    } catch {
      // It is not there just now.
    }
  }, 20)
  t.teardown(() => clearInterval(kill))
  t.strictSame(new Set(await Promise.all(waiting.slice(20))), new Set([200]))
  clearInterval(kill)
  t.ok(dead.size > 0, `the controller was killed ${dead.size} times`)
  await until('the controller is back', async () => (await system.client.ready()).ready, { timeoutMs: 30_000 })
  await until('it has ended the pause', async () =>
    (await system.client.service('small')).vips.every(vip => vip.paused === null),
  )

  const { totals, complete, note } = await system.client.traffic('small', 'before')
  t.ok(complete, note ?? '')
  t.match(totals, { arrived: 26, answered: 25, refused: 1, held: 25, broken: 0, clientGone: 0, open: 0 })
})
