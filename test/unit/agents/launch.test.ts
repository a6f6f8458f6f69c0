import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { AgentMetrics } from '../../../agents/agent-metrics.ts'
import { InstanceFolders } from '../../../agents/folders.ts'
import { launch } from '../../../agents/launch.ts'
import { groupMembers, signalGroup } from '../../../agents/process-table.ts'
import type { RunRecord } from '../../../agents/run-record.ts'
import { StrayScanner } from '../../../agents/strays.ts'
import type { AssignedInstance } from '../../../src/contracts/assignment.ts'
import { createSystemClock } from '../../../src/core/clock.ts'
import { silentLogger } from '../../../src/core/logger.ts'
import { tempDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'

const ASSIGNED: AssignedInstance = {
  key: 'd1/web_IN_0',
  service: 'shop',
  deployment: 'd1',
  role: 'web',
  instance: 'web_IN_0',
  index: 0,
  incarnation: 1,
  desired: 'run',
  clean: 'none',
  upgradeDomain: 0,
  faultDomain: 0,
  spec: {
    package: 'a'.repeat(64),
    path: '',
    version: '1.0.0',
    command: 'exec sleep 600',
    startup: ['exec sleep 600'],
    endpoints: [],
    probe: { kind: 'process', intervalMs: 100, timeoutMs: 1000, healthy: 1, unhealthy: 3 },
    settings: {},
    env: {},
    internalEndpoints: {},
    localStorage: [],
    startTimeoutMs: 600_000,
    stopTimeoutMs: 10_000,
  },
}

t.test('a startup command that is no longer wanted when it has just begun is ended, too', async t => {
  const data = tempDir(t)
  const files = join(data, 'package')
  mkdirSync(files)
  const unwanted = new AbortController()
  const records: RunRecord[] = []
  t.teardown(() => {
    for (const { pid } of records) if (pid !== null && groupMembers(pid).length > 0) signalGroup(pid, 'SIGKILL')
  })
  const launching = launch(
    {
      host: '127.0.0.1',
      advertise: '127.0.0.1',
      clock: createSystemClock(),
      log: silentLogger(),
      packages: { ensure: async () => files },
      ports: { allocate: async () => [] },
      trash: join(data, 'trash'),
      environment: { PATH: process.env['PATH'] },
      metrics: new AgentMetrics(),
      secretOf: () => null,
      data,
      confinement: { setpriv: null, isRoot: false },
      strays: new StrayScanner(),
      cgroups: null,
      onChange: () => {},
    },
    {
      assigned: ASSIGNED,
      attempt: 1,
      folders: new InstanceFolders(join(data, 'instance')),
      signal: unwanted.signal,
      onRecord: record => {
        records.push(record)
        // Its keeper runs; nobody waits for its end yet.
        if (record.phase === 'startup') unwanted.abort()
      },
    },
  )
  let code: unknown = null
  launching.catch((error: unknown) => {
    code = error instanceof Error && 'code' in error ? error.code : error
  })
  await until('the launch has given up', () => code !== null)
  t.equal(code, 'cancelled')
  const pid = records.at(-1)?.pid ?? 0
  t.ok(pid > 0)
  t.same(groupMembers(pid), [], 'nothing is left running')
})
