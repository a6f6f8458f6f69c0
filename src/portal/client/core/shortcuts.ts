import { useEffect } from 'preact/hooks'
import { createStore } from './store.ts'

const KEY = 'vipswap.shortcuts'
const SEQUENCE_MS = 1000

/** Single keys do something; can be switched off, since some ways of speaking to a machine send stray letters. */
export const shortcutsOn = createStore(readChoice())

interface Shortcut {
  readonly keys: string
  readonly what: string
  readonly run: () => void
}

const active = new Set<Shortcut>()
let before = { key: '', at: 0 }

/** `keys` is one key or two after each other (`g n`), for as long as the part that calls this is shown. */
export function useShortcut(keys: string, what: string, run: () => void): void {
  useEffect(() => {
    const shortcut = { keys, what, run }
    active.add(shortcut)
    return () => active.delete(shortcut)
  })
}

/** Those that work now. */
export function shortcuts(): { keys: string; what: string }[] {
  return [...active].map(({ keys, what }) => ({ keys, what }))
}

export function switchShortcuts(on: boolean): void {
  try {
    localStorage.setItem(KEY, on ? 'on' : 'off')
  } catch {
    // Storage may be forbidden; the choice then lasts as long as the page.
  }
  shortcutsOn.set(on)
}

addEventListener('keydown', event => {
  if (!shortcutsOn.get() || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return
  const { target } = event
  if (target instanceof HTMLElement && target.closest('input, textarea, select, dialog[open]') !== null) return
  const now = performance.now()
  const sequence = now - before.at < SEQUENCE_MS ? `${before.key} ${event.key}` : ''
  before = { key: event.key, at: now }
  for (const wanted of [sequence, event.key]) {
    const found = [...active].find(({ keys }) => keys === wanted)
    if (found === undefined) continue
    event.preventDefault()
    before = { key: '', at: 0 }
    found.run()
    return
  }
})

function readChoice(): boolean {
  try {
    return localStorage.getItem(KEY) !== 'off'
  } catch {
    return true
  }
}
