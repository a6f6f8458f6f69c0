import t from 'tap'
import { PlaneMetrics } from '../../../proxy/metrics/plane-metrics.ts'
import { reportPools } from '../../../proxy/metrics/pool-metrics.ts'
import { pool, table, target } from '../../integration/proxy/support.ts'
import { DataPlane } from '../../../proxy/worker/data-plane.ts'

void t.test('pools are looked at once for all that is told of them', async t => {
  const plane = new DataPlane(() => {})
  t.teardown(async () => plane.close(0))
  const metrics = new PlaneMetrics()
  let looks = 0
  reportPools(metrics, () => {
    looks++
    return plane.pools()
  })
  t.match(metrics.read(), { poolReady: {}, poolHeld: {} })
  plane.apply(table([pool([target({ port: 1 })])]))
  t.match(metrics.read(), { poolReady: { 'd1/web/http': 1 }, poolWaiting: { 'd1/web/http': 0 } })
  t.equal(looks, 2)
})
