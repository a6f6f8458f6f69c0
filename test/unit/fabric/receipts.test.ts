import t from 'tap'
import type { LedgerRow } from '../../../src/contracts/ledger.ts'
import { makeRelease } from '../../simulation/releases.ts'
import { Lab } from './lab.ts'

const V1 = makeRelease('shop', '1.0.0')
const row = (over: Partial<LedgerRow>): LedgerRow => ({
  vip: 'shop/production/web/http',
  deployment: 'd1',
  version: '1.0.0',
  arrived: 0,
  answered: 0,
  refused: 0,
  clientGone: 0,
  held: 0,
  heldMaxMs: 0,
  replayed: 0,
  broken: {},
  ...over,
})

function deployed(): Lab {
  const lab = new Lab([V1])
  lab.accept({ kind: 'create', service: 'shop', slot: 'production', package: V1.digest, replace: false })
  lab.settle()
  return lab
}

const reboot = { kind: 'reboot', service: 'shop', slot: 'production', instance: 'web_IN_0' } as const

t.test('a receipt is the end minus the start, summed over proxies, of its own service only', async t => {
  const lab = deployed()
  lab.proxies = ['p1', 'p2']
  lab.connectProxy('p2')
  lab.rows = [
    row({ arrived: 10, answered: 8, refused: 1, held: 2, heldMaxMs: 40, broken: { timeout: 1 } }),
    row({ vip: 'blog/production/web/http', arrived: 100, answered: 100 }),
  ]
  lab.acknowledge()
  const operation = lab.accept(reboot)
  lab.rows = [
    row({ arrived: 15, answered: 11, refused: 1, clientGone: 1, held: 3, heldMaxMs: 40, broken: { timeout: 1 } }),
    row({ vip: 'blog/production/web/http', arrived: 200, answered: 200 }),
  ]
  lab.settle()
  const { receipt } = lab.operation(operation)
  t.match(receipt, { complete: true, note: null })
  t.strictSame(receipt?.traffic, [
    { ...row({ arrived: 10, answered: 6, clientGone: 2, held: 2, heldMaxMs: 0 }), open: 2 },
  ])
})

t.test('a proxy that is gone at the end makes the receipt incomplete, and says so', async t => {
  const lab = deployed()
  const operation = lab.accept(reboot)
  lab.connectProxy('p2', [{ incarnation: 'p1', exited: true }])
  lab.proxies = ['p2']
  lab.settle()
  t.match(lab.operation(operation).receipt, { complete: false, note: /p1/ })
})

t.test('a request that was held arrives in one row and ends in another: open is told once a VIP', async t => {
  const lab = deployed()
  lab.rows = [row({ deployment: '', version: '', arrived: 5, held: 5 }), row({ answered: 5 })]
  lab.acknowledge()
  const operation = lab.accept(reboot)
  lab.rows = [row({ deployment: '', version: '', arrived: 5, held: 5 }), row({ arrived: 3, answered: 7 })]
  lab.settle()
  const traffic = lab.operation(operation).receipt?.traffic ?? []
  t.strictSame(traffic, [{ ...row({ arrived: 3, answered: 2 }), open: 1 }])
})

t.test('what a proxy counted before this controller heard of it is not an operation’s', async t => {
  const lab = deployed()
  lab.rows = [row({ arrived: 100, answered: 90, broken: { timeout: 10 } })]
  lab.acknowledge()
  lab.restart()
  const operation = lab.accept(reboot)
  lab.acknowledge()
  lab.rows = [row({ arrived: 104, answered: 94, broken: { timeout: 10 } })]
  lab.settle()
  t.match(lab.operation(operation).receipt, { complete: true })
  t.strictSame(lab.operation(operation).receipt?.traffic, [{ ...row({ arrived: 4, answered: 4 }), open: 0 }])
})
