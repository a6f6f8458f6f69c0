import { RecoveryAnswer } from '../../contracts/api/recovery.ts'
import { reading } from './call.ts'

const RECOVERY = {
  recovery: {
    state: 'held',
    at: '2026-03-02T09:30:00.000Z',
    found: 'the folder is missing, its head file is there',
    aside: '/srv/vipswap/store.damaged-2026-03-02T09-30-00-000Z',
    snapshotTakenAt: '2026-03-02T09:20:00.000Z',
    commit: 4100,
    lost: { from: 4101, to: 4123 },
    stops: ['d9/web_IN_0'],
    keeps: [],
    starts: [],
    silentNodes: [],
  },
}

export const GET_RECOVERY = reading({
  id: 'getRecovery',
  tag: 'system',
  summary: 'Whether the journal was put back from a snapshot, what is lost, and what accepting that would do.',
  schema: RecoveryAnswer,
  example: RECOVERY,
})

export const ACCEPT_RECOVERY = reading({
  id: 'acceptRecovery',
  tag: 'system',
  summary: 'Go on with the fabric as the snapshot has it.',
  description: 'Until then nothing is changed and nobody is told anything: what runs goes on as it was.',
  schema: RecoveryAnswer,
  problems: ['nothing_to_do'],
  example: { recovery: { ...RECOVERY.recovery, state: 'publishing' } },
})
