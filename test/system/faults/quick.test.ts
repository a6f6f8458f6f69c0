import { join } from 'node:path'
import t from 'tap'
import { tempDir } from '../../support/temp.ts'
import { instanceKilled } from './rows/f01-instance-killed.ts'
import { allKilled } from './rows/f03-all-dead.ts'
import { workerKilled } from './rows/f08-proxy-killed.ts'
import { agentKilled } from './rows/f09-agent-killed.ts'
import { runFault } from './trial-run.ts'

// The quick ones of the suite; `npm run test:faults` runs all of them.
for (const fault of [instanceKilled, allKilled, workerKilled, agentKilled]) {
  t.test(`${fault.id}: ${fault.name}`, async t => {
    const { verdict, why, seen } = await runFault(fault, { recordings: join(tempDir(t), 'r'), long: false })
    t.same({ verdict, why }, { verdict: 'held', why: [] }, seen)
  })
}
