import { VipswapError } from './errors.ts'

/** A bearer token, and who uses it. */
export interface Token {
  readonly name: string
  readonly token: string
}

/** Who uses a token that has no name. */
const UNNAMED = 'token'

/** The lines of a token file: `TOKEN` or `NAME TOKEN`; empty ones, and those after `#`, are none. Throws `usage`. */
export function readTokens(text: string): Token[] {
  const lines = text.split('\n').map(line => line.trim())
  return lines
    .filter(line => line !== '' && !line.startsWith('#'))
    .map(line => {
      const [first = '', second, ...more] = line.split(/\s+/)
      // Never the line itself: it holds a secret.
      if (more.length > 0) throw new VipswapError('usage', 'a line of the token file is neither TOKEN nor NAME TOKEN')
      return second === undefined ? { name: UNNAMED, token: first } : { name: first, token: second }
    })
}
