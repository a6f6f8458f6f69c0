import { render } from 'preact'
import { followEvents } from './core/live.ts'
import { Shell } from './shell.tsx'

const root = document.getElementById('app')
if (root !== null) render(<Shell />, root)
void followEvents()
