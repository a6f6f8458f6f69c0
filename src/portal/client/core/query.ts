import { useEffect, useState } from 'preact/hooks'
import { ApiError, open, token } from './api.ts'
import { connection, onEvents } from './live.ts'

/** What one GET answered last. Data stays while a later try fails. */
export interface Query<T> {
  readonly data: T | null
  readonly error: ApiError | null
  /** `performance.now()` of the answer. */
  readonly at: number
}

interface Entry {
  readonly path: string
  readonly users: Set<() => void>
  query: Query<unknown>
  text: string
  busy: boolean
  /** Asked for while busy. */
  again: boolean
  timer: number | undefined
  /** When it is asked for next, by `performance.now()`. */
  due: number
  /** Of the last fetch. */
  tookMs: number
  pollMs: number
}

/** An event is followed by the state it belongs to, once for a burst of them. */
const DEBOUNCE_MS = 50
const NOTHING: Query<never> = { data: null, error: null, at: 0 }
const KEEP_UNUSED = 30

const entries = new Map<string, Entry>()

onEvents(() => refreshAll())
token.subscribe(() => refreshAll())
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) refreshAll()
})

/** Everything on the page is asked for again. */
export function refreshAll(): void {
  for (const entry of entries.values()) if (entry.users.size > 0) soon(entry)
}

/** What `path` answers (null: nothing is asked), kept fresh by events, and every `pollMs` for what has no event. */
export function useQuery<T>(path: string | null, pollMs = 2000): Query<T> {
  const [, look] = useState({})
  useEffect(() => {
    if (path === null) return undefined
    const entry = entryOf(path)
    const user = (): void => look({})
    entry.users.add(user)
    entry.pollMs = pollMs
    void ask(entry)
    return () => {
      entry.users.delete(user)
      if (entry.users.size === 0) {
        clearTimeout(entry.timer)
        entry.due = Infinity
      }
      forgetUnused()
    }
  }, [path, pollMs])
  // The contract says what each call answers.
  return path === null ? NOTHING : ((entries.get(path)?.query ?? NOTHING) as Query<T>)
}

function entryOf(path: string): Entry {
  const found = entries.get(path)
  if (found !== undefined) return found
  const entry: Entry = {
    path,
    users: new Set(),
    query: NOTHING,
    text: '',
    busy: false,
    again: false,
    timer: undefined,
    due: Infinity,
    tookMs: 0,
    pollMs: 0,
  }
  entries.set(path, entry)
  return entry
}

/** At most half of the time is spent asking, however much happens. */
function soon(entry: Entry): void {
  if (entry.busy) entry.again = true
  else schedule(entry, Math.max(DEBOUNCE_MS, entry.tookMs))
}

/** The sooner of this and what is scheduled. */
function schedule(entry: Entry, ms: number): void {
  const due = performance.now() + ms
  if (due >= entry.due) return
  clearTimeout(entry.timer)
  entry.due = due
  entry.timer = setTimeout(() => void ask(entry), ms)
}

async function ask(entry: Entry): Promise<void> {
  if (entry.busy) {
    entry.again = true
    return
  }
  clearTimeout(entry.timer)
  entry.due = Infinity
  entry.busy = true
  entry.again = false
  const start = performance.now()
  try {
    const text = await (await open('GET', entry.path)).text()
    if (text !== entry.text || entry.query.error !== null || entry.query.data === null) {
      entry.text = text
      show(entry, { data: JSON.parse(text), error: null, at: performance.now() })
    }
  } catch (error) {
    const problem = error instanceof ApiError ? error : new ApiError(String(error))
    // What is gone is not shown any longer; what only cannot be asked for now is.
    const gone = problem.problem !== null && problem.problem.status === 404
    show(entry, { data: gone ? null : entry.query.data, error: problem, at: entry.query.at })
  }
  entry.tookMs = performance.now() - start
  entry.busy = false
  if (entry.users.size === 0) return
  if (entry.again) schedule(entry, Math.max(DEBOUNCE_MS, entry.tookMs))
  else if (entry.pollMs > 0) schedule(entry, pauseOf(entry))
}

/** Nobody looks at a hidden page; one that is away is told by the stream when it is back. */
function pauseOf({ pollMs }: Entry): number {
  return document.hidden || connection.get().state === 'away' ? Math.max(pollMs, 5000) : pollMs
}

function show(entry: Entry, query: Query<unknown>): void {
  entry.query = query
  for (const user of entry.users) user()
}

function forgetUnused(): void {
  const unused = [...entries.values()].filter(({ users }) => users.size === 0)
  for (const { path } of unused.slice(0, Math.max(0, unused.length - KEEP_UNUSED))) entries.delete(path)
}
