import { chosenTheme, showTheme } from './core/theme-choice.ts'

// Runs before anything is painted: a chosen theme must not flash the other one first.
showTheme(chosenTheme())
