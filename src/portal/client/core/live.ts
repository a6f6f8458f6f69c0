import type { EventView, GapView } from '../../../contracts/api/event.ts'
import type { TIMELINE_HEADER } from '../../../contracts/timeline.ts'
import { open, token, tokenWanted } from './api.ts'
import { readServerSentEvents } from './sse.ts'
import { createStore } from './store.ts'

export type Connection =
  | { readonly state: 'connecting' }
  | { readonly state: 'live' }
  /** `since` by this machine's clock. */
  | { readonly state: 'away'; readonly since: number }

/** How the page hears of changes. */
export const connection = createStore<Connection>({ state: 'connecting' })
/** The timeline as far as it is kept, oldest first. */
export const timeline = createStore<readonly EventView[]>([])

const KEPT = 5000
const FLUSH_MS = 25
const FIRST_RETRY_MS = 200
const LAST_RETRY_MS = 1000
/** The admin sends something at least every 15 s. */
const SILENCE_MS = 40_000

const listeners = new Set<(events: readonly EventView[]) => void>()
let pending: EventView[] = []
let last = 0
/** Whose events `last` counts; null before the first answer. */
let fabric: string | null = null

/** `listener` gets new events in batches, and an empty batch each time the stream was opened. */
export function onEvents(listener: (events: readonly EventView[]) => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** Follows the timeline for as long as the page is open: after a break it goes on where it was. */
export async function followEvents(): Promise<never> {
  let failures = 0
  for (;;) {
    try {
      await readOnce(() => {
        failures = 0
        connection.set({ state: 'live' })
        tell([])
      })
    } catch {
      // Told by the state below; the next try shows whether it is over.
    }
    if (tokenWanted.get() !== null) {
      await tokenGiven()
      continue
    }
    if (connection.get().state !== 'away') connection.set({ state: 'away', since: Date.now() })
    failures += 1
    await pause(Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * failures))
  }
}

async function readOnce(onOpen: () => void): Promise<void> {
  const silence = new AbortController()
  let timer = setTimeout(() => silence.abort(), SILENCE_MS)
  try {
    const response = await open('GET', '/v1/events', {
      headers: { accept: 'text/event-stream', 'last-event-id': String(last) },
      signal: silence.signal,
    })
    if (response.body === null) return
    const found = response.headers.get('x-vipswap-timeline' satisfies typeof TIMELINE_HEADER)
    if (fabric !== null && found !== fabric) {
      // Another data folder behind the same address: its timeline is shown from its beginning.
      fabric = found
      last = 0
      pending = []
      timeline.set([])
      silence.abort()
      return await readOnce(onOpen)
    }
    fabric = found
    onOpen()
    await readServerSentEvents(response.body, text => {
      clearTimeout(timer)
      timer = setTimeout(() => silence.abort(), SILENCE_MS)
      if (text !== null) receive(text)
    })
  } finally {
    clearTimeout(timer)
  }
}

function receive(text: string): void {
  // The admin's own events.
  const event = JSON.parse(text) as EventView | GapView
  // More is missing than is kept here anyway: what follows takes the place of all that is shown.
  if (!('seq' in event)) return
  last = event.seq
  if (pending.length === 0) setTimeout(flush, FLUSH_MS)
  pending.push(event)
}

function flush(): void {
  const events = pending
  pending = []
  timeline.set([...timeline.get(), ...events].slice(-KEPT))
  tell(events)
}

function tell(events: readonly EventView[]): void {
  for (const listener of listeners) listener(events)
}

function tokenGiven(): Promise<void> {
  return new Promise(resolve => {
    const stop = token.subscribe(() => {
      stop()
      resolve()
    })
  })
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => {
    setTimeout(resolve, ms)
  })
}
