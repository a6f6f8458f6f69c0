import { render } from 'preact'
import { followEvents } from './core/live.ts'
import { Shell } from './shell.tsx'

// A file dropped beside a slot must not replace the page.
for (const type of ['dragover', 'drop']) addEventListener(type, event => event.preventDefault())

const root = document.getElementById('app')
if (root !== null) render(<Shell />, root)
void followEvents()
