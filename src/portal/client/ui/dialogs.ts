import { createStore } from '../core/store.ts'

/** The dialogs that are open, topmost last: outcomes are shown in that one, since all else is out of reach. */
export const openDialogs = createStore<readonly string[]>([])
