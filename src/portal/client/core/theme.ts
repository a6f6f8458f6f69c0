import { createStore } from './store.ts'
import { chosenTheme, keepTheme, showTheme, systemPrefersDark, type Theme } from './theme-choice.ts'

export const theme = createStore<Theme>(chosenTheme())
/** Changes with the colours that are shown, for what draws them itself. */
export const shownTheme = createStore<'light' | 'dark'>(showTheme(theme.get()))

systemPrefersDark.addEventListener('change', () => shownTheme.set(showTheme(theme.get())))

export function chooseTheme(chosen: Theme): void {
  keepTheme(chosen)
  theme.set(chosen)
  shownTheme.set(showTheme(chosen))
}
