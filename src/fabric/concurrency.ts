import type { ErrorCode } from '../core/errors.ts'

/** What may be asked for, as far as something that runs matters to it. */
export const VERBS = {
  upgrade: '`upgrade`',
  configure: '`config apply` (settings)',
  certificates: '`config apply` (certificates)',
  scale: '`scale`',
  suspend: '`suspend`',
  start: '`start`',
  delete: '`delete`',
  replace: '`deploy --replace`',
  deployOther: '`deploy` to the other slot',
  rollback: '`rollback`',
  walk: '`walk`',
  swap: '`swap`',
  reboot: '`reboot`',
} as const

export type Verb = keyof typeof VERBS

/**
 * `accepted`: both go on. `supersedes`: accepted, and what runs ends (Cancelled with `superseded`; by a rollback
 * RolledBack). `pauses`: accepted, and the walk goes on after `start`. Else the code it is refused with.
 */
export type Outcome = 'accepted' | 'supersedes' | 'pauses' | ErrorCode

interface Row {
  /** In words, for docs/operations.md. */
  readonly what: string
  /** The deployment shows `locked`: hardly anything is taken, and it ends by itself, once all proxies and nodes have spoken. */
  readonly locks: boolean
  readonly asked: Readonly<Record<Verb, Outcome>>
}

const WALK: Row['asked'] = {
  upgrade: 'supersedes',
  configure: 'supersedes',
  certificates: 'accepted',
  scale: 'accepted',
  suspend: 'pauses',
  start: 'nothing_to_do',
  delete: 'supersedes',
  replace: 'supersedes',
  deployOther: 'accepted',
  rollback: 'supersedes',
  walk: 'walk_not_allowed',
  swap: 'upgrade_in_progress',
  reboot: 'upgrade_in_progress',
}

const BESIDE: Row['asked'] = {
  upgrade: 'accepted',
  configure: 'accepted',
  certificates: 'accepted',
  scale: 'accepted',
  suspend: 'supersedes',
  start: 'nothing_to_do',
  delete: 'supersedes',
  replace: 'supersedes',
  deployOther: 'accepted',
  rollback: 'rollback_not_allowed',
  walk: 'no_upgrade',
  swap: 'operation_in_progress',
  reboot: 'accepted',
}

const HELD: Row['asked'] = {
  upgrade: 'operation_in_progress',
  configure: 'operation_in_progress',
  certificates: 'operation_in_progress',
  scale: 'operation_in_progress',
  suspend: 'operation_in_progress',
  start: 'operation_in_progress',
  delete: 'operation_in_progress',
  replace: 'operation_in_progress',
  deployOther: 'accepted',
  rollback: 'rollback_not_allowed',
  walk: 'no_upgrade',
  swap: 'operation_in_progress',
  reboot: 'operation_in_progress',
}

/** Its processes are down, or on their way there: nothing can be walked. */
const DOWN: Row['asked'] = {
  ...BESIDE,
  upgrade: 'not_running',
  configure: 'not_running',
  scale: 'not_running',
  suspend: 'nothing_to_do',
  start: 'accepted',
  delete: 'accepted',
  replace: 'accepted',
  swap: 'not_running',
  reboot: 'not_running',
}

/**
 * What a deployment may be in the middle of, and what a new request does to it (Cloud Services, "How to update a cloud
 * service", "Initiating multiple mutating operations on an ongoing deployment": configuration change, upgrade, status
 * change, delete and rollback are taken while an update runs). Nobody waits for the first to end, save where it ends
 * soon and by itself. A scale over a walk with other counts at its two ends takes that one's place (deployment/change.ts);
 * the reasons of what is refused:
 * - `upgrade_in_progress` for a swap: Cloud Services locks none out, yet half-way it would put two versions into one slot's
 *   receipt and health; for a walk in the other slot: "at most one update active", here per service.
 * - `not_running`: nothing runs that could be walked; the status change is taken at any time.
 * - `operation_in_progress`: the deployment is locked ("Locked"), or a prepared swap promises that nothing changes under it.
 * docs/operations.md is printed from here.
 */
export const RUNNING = {
  walking: {
    what: 'an upgrade or a change of settings that walks by itself, in whatever phase, or one domain of a manual one',
    locks: false,
    asked: WALK,
  },
  waiting: {
    what: 'an upgrade or a change of settings that waits for `walk`',
    locks: false,
    asked: { ...WALK, walk: 'accepted' },
  },
  rollingBack: {
    what: 'a rollback',
    locks: false,
    asked: { ...WALK, rollback: 'rollback_not_allowed' },
  },
  rollbackWaiting: {
    what: 'a rollback that waits for `walk`',
    locks: false,
    asked: { ...WALK, rollback: 'rollback_not_allowed', walk: 'accepted' },
  },
  rollbackHalted: {
    what: 'a rollback that could not start an old instance',
    locks: false,
    asked: { ...WALK, rollback: 'accepted' },
  },
  paused: {
    what: 'a walk whose deployment was suspended',
    locks: false,
    asked: { ...DOWN, delete: 'supersedes', replace: 'supersedes', walk: 'walk_not_allowed' },
  },
  otherWalk: {
    what: 'an upgrade, change of settings or rollback in the other slot',
    locks: false,
    asked: {
      ...BESIDE,
      upgrade: 'upgrade_in_progress',
      configure: 'upgrade_in_progress',
      suspend: 'accepted',
      delete: 'accepted',
      replace: 'accepted',
      deployOther: 'slot_occupied',
      swap: 'upgrade_in_progress',
    },
  },
  certificates: {
    what: 'other certificates being published',
    locks: false,
    asked: { ...BESIDE, suspend: 'accepted' },
  },
  scaling: {
    what: '`scale`',
    locks: false,
    asked: { ...BESIDE, scale: 'supersedes', rollback: 'supersedes' },
  },
  unscaling: {
    what: 'the rollback of a `scale`',
    locks: false,
    asked: { ...BESIDE, scale: 'supersedes' },
  },
  rebooting: {
    what: '`reboot` or `reimage` (of the same instance)',
    locks: false,
    asked: { ...BESIDE, reboot: 'operation_in_progress' },
  },
  creating: {
    what: '`deploy`, before its instances start',
    locks: true,
    asked: { ...HELD, certificates: 'accepted', start: 'nothing_to_do', delete: 'supersedes', swap: 'not_running' },
  },
  starting: {
    what: '`deploy`, while its instances start',
    locks: false,
    asked: { ...BESIDE, upgrade: 'supersedes', configure: 'supersedes', swap: 'not_running' },
  },
  suspending: {
    what: '`suspend`',
    locks: false,
    asked: { ...DOWN, start: 'supersedes', delete: 'supersedes', replace: 'supersedes' },
  },
  suspended: {
    what: 'nothing; the deployment is suspended',
    locks: false,
    asked: DOWN,
  },
  resuming: {
    what: '`start`',
    locks: false,
    asked: { ...BESIDE, upgrade: 'supersedes', configure: 'supersedes', swap: 'not_running' },
  },
  resumingWalk: {
    what: '`start` of a deployment whose walk was paused',
    locks: false,
    asked: { ...WALK, suspend: 'supersedes', swap: 'not_running' },
  },
  deleting: {
    what: '`delete`, or the removal of what `deploy --replace` replaces',
    locks: true,
    asked: { ...HELD, swap: 'not_running' },
  },
  prepared: {
    what: 'a swap that is prepared',
    locks: false,
    asked: { ...HELD, deployOther: 'operation_in_progress' },
  },
  swapping: {
    what: 'a swap, from its preparation to its publication',
    locks: true,
    asked: { ...HELD, certificates: 'accepted', deployOther: 'operation_in_progress' },
  },
} as const satisfies Record<string, Row>

export type Running = keyof typeof RUNNING
