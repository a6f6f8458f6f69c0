import type { ComponentChildren, JSX } from 'preact'
import { useId } from 'preact/hooks'
import { notify } from '../core/notices.ts'
import { connection } from '../core/live.ts'
import { useStore } from '../core/store.ts'

interface Props {
  readonly children: ComponentChildren
  readonly onClick: () => void
  readonly kind?: 'primary' | 'plain' | 'danger' | 'quiet'
  /** Why it cannot be pressed now; it stays reachable by keyboard, so that this can be read. */
  readonly reason?: string | null | undefined
  /** Does it need the controller? */
  readonly local?: boolean
  readonly label?: string
  readonly busy?: boolean
  readonly class?: string
}

export function Button({
  children,
  onClick,
  kind = 'plain',
  reason,
  local = false,
  label,
  busy = false,
  ...rest
}: Props): JSX.Element {
  const id = useId()
  const away = useStore(connection).state === 'away' && !local
  // Backquotes are for the terminal.
  const why = away ? 'the controller does not answer now' : busy ? 'on its way' : (reason?.replaceAll('`', '') ?? null)
  return (
    <span class={`button-box ${rest.class ?? ''}`}>
      <button
        type="button"
        class={`button button-${kind}`}
        aria-disabled={why === null ? undefined : true}
        aria-describedby={why === null ? undefined : id}
        aria-label={label}
        onClick={() => {
          if (why === null) onClick()
          else if (!busy) notify('plain', `Not now: ${why}`)
        }}
      >
        {children}
      </button>
      {why === null ? null : (
        <span class="reason" role="tooltip" id={id}>
          {why}
        </span>
      )}
    </span>
  )
}
