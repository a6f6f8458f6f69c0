import { useEffect, useState } from 'preact/hooks'

/** One value that parts of the page look at. */
export interface Store<T> {
  get(): T
  set(value: T): void
  /** Answers how to stop. */
  subscribe(listener: () => void): () => void
}

export function createStore<T>(initial: T): Store<T> {
  let value = initial
  const listeners = new Set<() => void>()
  return {
    get: () => value,
    set: next => {
      if (Object.is(next, value)) return
      value = next
      for (const listener of listeners) listener()
    },
    subscribe: listener => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

/** The store's value, and a new look whenever it changes. */
export function useStore<T>(store: Store<T>): T {
  const [, look] = useState({})
  const value = store.get()
  useEffect(() => {
    // It may have changed between the look and now.
    if (!Object.is(store.get(), value)) look({})
    return store.subscribe(() => look({}))
  }, [store])
  return value
}
