import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { CallerView } from '../../../contracts/api/caller.ts'
import type { RecoveryAnswer, RecoveryView } from '../../../contracts/api/recovery.ts'
import { call, messageOf } from '../core/api.ts'
import { clock, day, plural } from '../core/format.ts'
import { notify } from '../core/notices.ts'
import { refreshAll, useQuery } from '../core/query.ts'
import { Button } from '../ui/button.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Icon } from '../ui/icon.tsx'
import { Callout } from '../ui/parts.tsx'

const POLL_MS = 5000
const MOVING_POLL_MS = 500

/** On every page while a damaged journal that was put back is held: what was lost, and how to go on. */
export function RecoveryBar(): JSX.Element | null {
  const [moving, setMoving] = useState(false)
  const { data } = useQuery<RecoveryAnswer>('/v1/recovery', moving ? MOVING_POLL_MS : POLL_MS)
  const recovery = data?.recovery ?? null
  const isMoving = recovery !== null && recovery.state !== 'held'
  if (isMoving !== moving) setMoving(isMoving)
  if (recovery === null) return null
  return (
    <section class="recovery" aria-label="recovery of the journal" data-state={recovery.state}>
      <Icon name="warning" size={20} />
      {recovery.state === 'held' ? (
        <Held recovery={recovery} />
      ) : (
        <p role="status">
          <strong>Accepted.</strong> {recovery.state === 'publishing' ? 'Proxies are' : 'Nodes are'} being told the
          fabric as its journal has it.
        </p>
      )}
    </section>
  )
}

function Held({ recovery }: { recovery: RecoveryView }): JSX.Element {
  const [asked, setAsked] = useState(false)
  const { data: caller } = useQuery<CallerView>('/v1/whoami', POLL_MS)
  const reason =
    caller === null || caller.role === 'admin'
      ? null
      : `this takes the role admin, and ${caller.name} has ${caller.role}`
  return (
    <div>
      <p role="alert">
        <strong>The journal was damaged, and {lostOf(recovery)}.</strong> Everything is held: what runs goes on as it
        was, and nothing changes until somebody accepts.
      </p>
      <p class="quiet">
        What was found: {recovery.found}. It was put back as of commit {recovery.commit}, from the snapshot of{' '}
        {day(recovery.snapshotTakenAt)}, {clock(recovery.snapshotTakenAt)}; the damaged pieces are in{' '}
        <span class="mono">{recovery.aside}</span>. To put back a newer backup instead, stop the controller first.
      </p>
      <Button kind="primary" reason={reason} onClick={() => setAsked(true)}>
        Accept what is left…
      </Button>
      {asked ? <AcceptDialog recovery={recovery} onClose={() => setAsked(false)} /> : null}
    </div>
  )
}

function AcceptDialog({ recovery, onClose }: { recovery: RecoveryView; onClose: () => void }): JSX.Element {
  const { stops, keeps, starts, silentNodes } = recovery
  const touches = stops.length + keeps.length + starts.length + silentNodes.length > 0
  return (
    <Dialog title="Accept what is left" onClose={onClose}>
      <p>
        The fabric goes on as of commit {recovery.commit}: {lostOf(recovery)}, for good. Callers get the addresses and
        versions of then, in one step.
      </p>
      {touches ? null : <p>No instance is stopped or started by it.</p>}
      <Keys keys={stops} tone="bad" what="Stopped, and their folders removed" />
      <Keys keys={keeps} tone="plain" what="Serve on as a lost change left them" />
      <Keys keys={starts} tone="plain" what="Started" />
      <Keys keys={silentNodes} tone="warn" what="Not heard of yet, and compared when they report" noun="node" />
      <div class="dialog-end">
        <Button local onClick={onClose}>
          Leave it held
        </Button>
        <Button
          kind="danger"
          onClick={() => {
            void accept()
            onClose()
          }}
        >
          Accept
        </Button>
      </div>
    </Dialog>
  )
}

function Keys({
  keys,
  what,
  tone,
  noun = 'instance',
}: {
  keys: readonly string[]
  what: string
  tone: 'bad' | 'warn' | 'plain'
  noun?: string
}): JSX.Element | null {
  if (keys.length === 0) return null
  return (
    <Callout tone={tone}>
      <strong>{what}</strong>, {plural(keys.length, noun)}: <span class="mono">{keys.join(', ')}</span>
    </Callout>
  )
}

async function accept(): Promise<void> {
  try {
    await call<RecoveryAnswer>('POST', '/v1/recovery/accept')
    notify('good', 'Accepted: the fabric goes on as its journal has it')
  } catch (error) {
    notify('bad', `It was not accepted: ${messageOf(error)}`)
  }
  refreshAll()
}

function lostOf({ lost: { from, to } }: RecoveryView): string {
  if (to === null) return `all changes after commit ${from - 1} are lost`
  return to === from ? `the change of commit ${from} is lost` : `the changes of commits ${from} to ${to} are lost`
}
