import type { JSX } from 'preact'
import { connection } from '../core/live.ts'
import { duration } from '../core/format.ts'
import { useNow } from '../core/now.ts'
import { useStore } from '../core/store.ts'
import { Icon } from '../ui/icon.tsx'

const WORDS = { connecting: 'Connecting', live: 'Live', away: 'Away' } as const

/** Whether what is shown is what is. */
export function ConnectionChip(): JSX.Element {
  const { state } = useStore(connection)
  const tone = state === 'live' ? 'good' : state === 'away' ? 'bad' : 'moving'
  return (
    <span
      class={`state connection tone-${tone}`}
      data-state={state}
      title={state === 'live' ? 'changes arrive as they happen' : undefined}
    >
      <Icon name={state === 'live' ? 'ready' : state === 'away' ? 'cross' : 'starting'} size={14} />
      {WORDS[state]}
    </span>
  )
}

/** Says that the controller is away, over the page so that nothing moves. */
export function AwayBar(): JSX.Element | null {
  const seen = useStore(connection)
  const now = useNow(500)
  return (
    <div role="status" class="away-box">
      {seen.state === 'away' ? (
        <p class="away">
          <Icon name="warning" />
          <span>
            <strong>The controller does not answer.</strong> You see the last known state; traffic goes on without it.
            Trying again<span aria-hidden="true"> for {duration(Math.max(0, now - seen.since))}</span>.
          </span>
        </p>
      ) : null}
    </div>
  )
}
