import { createStore } from './store.ts'

export type Theme = 'system' | 'light' | 'dark'

const KEY = 'vipswap.theme'
const stored = document.documentElement.dataset['theme']

/** What was chosen; `system` follows the machine. */
export const theme = createStore<Theme>(stored === 'light' || stored === 'dark' ? stored : 'system')
/** Changes with the colours that are shown, for what draws them itself. */
export const shownTheme = createStore<'light' | 'dark'>(shown())

const dark = matchMedia('(prefers-color-scheme: dark)')
dark.addEventListener('change', () => shownTheme.set(shown()))

export function chooseTheme(chosen: Theme): void {
  if (chosen === 'system') delete document.documentElement.dataset['theme']
  else document.documentElement.dataset['theme'] = chosen
  try {
    if (chosen === 'system') localStorage.removeItem(KEY)
    else localStorage.setItem(KEY, chosen)
  } catch {
    // Storage may be forbidden; the choice then lasts as long as the page.
  }
  theme.set(chosen)
  shownTheme.set(shown())
}

function shown(): 'light' | 'dark' {
  const chosen = document.documentElement.dataset['theme']
  if (chosen === 'light' || chosen === 'dark') return chosen
  return matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'
}
