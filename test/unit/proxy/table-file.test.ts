import { chmodSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { TableFile } from '../../../proxy/holder/table-file.ts'
import { DEFAULT_LIMITS, type RoutingTable } from '../../../src/contracts/routing.ts'
import { tempDir } from '../../support/temp.ts'

const TABLE: RoutingTable = {
  fabric: 'f',
  revision: { term: 1, n: 1 },
  listeners: [],
  pools: {},
  certificates: { a: { id: 'a', chain: 'chain', key: 'key', names: [] } },
  limits: DEFAULT_LIMITS,
}

t.test('the table on disk holds private keys: only its owner reads it', async t => {
  const file = new TableFile(join(tempDir(t), 'proxy', 'table.json'))
  t.equal(file.read(), null)
  for (let turn = 0; turn < 2; turn++) {
    file.write(TABLE)
    t.equal(statSync(file.path).mode & 0o777, 0o600)
    t.strictSame(file.read(), TABLE)
    // One that was made looser by hand is replaced by one that is not.
    chmodSync(file.path, 0o644)
  }
})
