import type { JSX } from 'preact'
import { dismiss, notices } from '../core/notices.ts'
import { useStore } from '../core/store.ts'
import { openDialogs } from './dialogs.ts'
import { Icon } from './icon.tsx'

const ICONS = { good: 'check', bad: 'cross', plain: 'dash' } as const
const TONES = { good: 'good', bad: 'bad', plain: 'quiet' } as const

/** Outcomes: shown in a corner and read out. `within`: the dialog this is in, if any. */
export function Notices({ within }: { within: string | null }): JSX.Element | null {
  const shown = useStore(notices)
  if ((useStore(openDialogs).at(-1) ?? null) !== within) return null
  return (
    <div class="notices" aria-live="polite" role="log" aria-label="outcomes">
      {shown.map(({ id, kind, text, href }) => (
        <div key={id} class={`notice notice-${kind}`}>
          <span class={`tone-${TONES[kind]}`}>
            <Icon name={ICONS[kind]} />
          </span>
          <p>
            {text}
            {href === undefined ? null : (
              <>
                {' '}
                <a href={href}>receipt</a>
              </>
            )}
          </p>
          <button type="button" class="icon-button" aria-label="dismiss" onClick={() => dismiss(id)}>
            <Icon name="cross" size={14} />
          </button>
        </div>
      ))}
    </div>
  )
}
