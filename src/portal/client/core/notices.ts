import { createStore } from './store.ts'

export interface Notice {
  readonly id: number
  readonly kind: 'good' | 'bad' | 'plain'
  readonly text: string
  readonly href?: string
}

/** Outcomes, newest last; each is also read out. */
export const notices = createStore<readonly Notice[]>([])

const SHOWN_MS = 8000
const MOST = 3
let next = 1

export function notify(kind: Notice['kind'], text: string, href?: string): void {
  const id = next
  next += 1
  notices.set([...notices.get(), { id, kind, text, ...(href === undefined ? {} : { href }) }].slice(-MOST))
  // What went wrong stays until it is put away.
  if (kind !== 'bad') setTimeout(() => dismiss(id), SHOWN_MS)
}

export function dismiss(id: number): void {
  notices.set(notices.get().filter(notice => notice.id !== id))
}
