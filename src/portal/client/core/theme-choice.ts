/** What was chosen; `system` follows the machine. */
export type Theme = 'system' | 'light' | 'dark'

const KEY = 'vipswap.theme'

export const systemPrefersDark = matchMedia('(prefers-color-scheme: dark)')

export function chosenTheme(): Theme {
  try {
    const chosen = localStorage.getItem(KEY)
    return chosen === 'light' || chosen === 'dark' ? chosen : 'system'
  } catch {
    // Storage may be forbidden; the system's theme is then used.
    return 'system'
  }
}

export function keepTheme(chosen: Theme): void {
  try {
    if (chosen === 'system') localStorage.removeItem(KEY)
    else localStorage.setItem(KEY, chosen)
  } catch {
    // The choice then lasts as long as the page.
  }
}

/** Puts the colours of a choice on the page, and answers which they are. */
export function showTheme(chosen: Theme): 'light' | 'dark' {
  const shown = chosen === 'system' ? (systemPrefersDark.matches ? 'dark' : 'light') : chosen
  document.documentElement.dataset['theme'] = shown
  return shown
}
