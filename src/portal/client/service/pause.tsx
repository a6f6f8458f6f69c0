import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { VipView } from '../../../contracts/api/service.ts'
import { act } from '../core/act.ts'
import { slotPath } from '../core/api.ts'
import { useNow } from '../core/now.ts'
import type { Slot } from '../core/router.ts'
import { Button } from '../ui/button.tsx'
import { Confirm } from '../ui/confirm.tsx'
import { Callout } from '../ui/parts.tsx'

interface Props {
  readonly service: string
  readonly slot: Slot
}

/** Until when a slot's addresses hold what arrives, by the one that holds longest; null where none does. */
export function pausedUntil(vips: readonly VipView[]): string | null {
  return (
    vips
      .flatMap(({ paused }) => paused?.until ?? [])
      .toSorted()
      .at(-1) ?? null
  )
}

export function PauseButton({ service, slot }: Props): JSX.Element {
  const [asking, setAsking] = useState(false)
  return (
    <>
      <Button kind="quiet" label={`pause ${slot}`} onClick={() => setAsking(true)}>
        Pause…
      </Button>
      {asking ? (
        <Confirm
          title={`Pause ${slot}`}
          go="Pause for 30 s"
          onGo={() => void act('The pause', 'POST', `${slotPath(service, slot)}/pause`)}
          onClose={() => setAsking(false)}
        >
          Arriving requests wait and nobody is refused; what is with an instance is finished. They go on at the latest
          after 30 s, or as soon as the addresses are resumed.
        </Confirm>
      ) : null}
    </>
  )
}

/** Says that a slot holds what arrives, for how long at most, and lets it go. */
export function Paused({ service, slot, until }: Props & { until: string }): JSX.Element {
  const left = Math.max(0, Math.ceil((Date.parse(until) - useNow(500)) / 1000))
  return (
    <Callout tone="warn">
      <p>
        <strong>Paused.</strong> Arriving requests wait, for {left} s at most.
      </p>
      <Button
        label={`resume ${slot}`}
        onClick={() => void act('The resumption', 'POST', `${slotPath(service, slot)}/resume`)}
      >
        Let them go
      </Button>
    </Callout>
  )
}
