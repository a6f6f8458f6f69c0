import t from 'tap'
import type { Command } from '../../../src/contracts/command.ts'
import { fillDefaults } from '../../../src/fabric/defaults.ts'
import { Draft } from '../../../src/fabric/draft.ts'
import type { OperationRecord } from '../../../src/fabric/operation-record.ts'
import { makeRelease } from '../../simulation/releases.ts'
import { Lab } from './lab.ts'

const V1 = makeRelease('shop', '1.0.0')
const create: Command = { kind: 'create', service: 'shop', slot: 'production', package: V1.digest, replace: false }

// The shape agreed for receipts: "by: string|null (who: admin token name or address)".
t.test('an operation keeps who asked for it, and nobody where nobody said', async t => {
  const lab = new Lab([V1])
  const { operation } = lab.input({ kind: 'command', command: create, idempotencyKey: null, by: 'alice' })
  t.equal(lab.state.operations[operation ?? '']?.by, 'alice')
  lab.settle()
  t.match(lab.state.operations[operation ?? ''], { status: 'Succeeded', by: 'alice' }, 'to its end')
  const scale: Command = {
    kind: 'configure',
    service: 'shop',
    slot: 'production',
    configuration: { roles: { web: { instances: 3 } } },
  }
  const scaled = lab.accept(scale)
  t.equal(lab.state.operations[scaled]?.by, null)
})

t.test('an operation of an older journal was asked for by nobody known', async t => {
  const lab = new Lab([V1])
  const id = lab.accept(create)
  const { by: _, ...older } = lab.operation(id)
  const state = { ...lab.state, operations: { [id]: older as OperationRecord } } // as an older version wrote it
  const draft = new Draft(state, lab.now)
  fillDefaults(draft)
  t.equal(draft.finish().state.operations[id]?.by, null)
})
