import type { RecoveryView } from '../../contracts/api/recovery.ts'

/** What was lost and what accepting it would do, a line each. */
export function recoveryText(recovery: RecoveryView | null): string {
  if (recovery === null) return 'the journal is whole'
  const { state, found, aside, snapshotTakenAt, commit, lost, stops, keeps, starts, silentNodes } = recovery
  const commits = lost.to === null ? `all after ${lost.from - 1}, nobody knows how many` : `${lost.from} to ${lost.to}`
  const list = (words: string, keys: readonly string[]): string[] =>
    keys.length === 0 ? [] : [`  ${words}: ${keys.join(', ')}`]
  return [
    `the journal was damaged: ${found}`,
    `it was put back as of commit ${commit} (snapshot of ${snapshotTakenAt}); lost: commits ${commits}`,
    `the damaged pieces are in ${aside}`,
    ...(state === 'held'
      ? ['what runs goes on as it was; nothing changes until "vipswap recovery --accept", which', ...onAccepting()]
      : [state === 'publishing' ? 'accepted: proxies are being told' : 'accepted: nodes are being told']),
  ].join('\n')

  function onAccepting(): string[] {
    const lines = [
      ...list('stops, with their folders', stops),
      ...list('lets serve on as a lost change left them', keeps),
      ...list('starts', starts),
      ...list('waits for nodes that have not reported', silentNodes),
    ]
    return lines.length === 0 ? ['  stops and starts nothing'] : lines
  }
}

/** One line for those who did not ask; null where there is nothing to say. */
export function recoveryNotice(recovery: RecoveryView | null): string | null {
  if (recovery?.state !== 'held') return null
  return 'the journal was damaged and lacks what was acknowledged last: nothing changes until it is accepted; see "vipswap recovery"'
}
