import { ACCESS_ROLES, isAccessRole, type AccessRole } from './access-role.ts'
import { VipswapError } from './errors.ts'
import { readPrivateFile } from './private-file.ts'

/** A bearer token, who uses it, and what for. */
export interface Token {
  readonly name: string
  readonly role: AccessRole
  readonly token: string
}

/** Who uses a token that has no name. */
const UNNAMED = 'token'
/** Names are printed in logs, operations and terminals. */
const NAME = /^[\w.@+-]{1,64}$/

/**
 * The lines of a token file: `TOKEN`, `NAME TOKEN` or `NAME:ROLE TOKEN`; without a role it is an admin's. Empty lines, and
 * those after `#`, are none. Throws `usage`, naming the line by its number: it holds a secret.
 */
export function readTokens(text: string): Token[] {
  return text.split('\n').flatMap((line, index) => {
    const words = line.trim().split(/\s+/)
    const [first = '', second] = words
    if (first === '' || first.startsWith('#')) return []
    const fault = (what: string): VipswapError =>
      new VipswapError('usage', `line ${index + 1} of the token file ${what}`)
    if (words.length > 2) throw fault('is neither TOKEN, NAME TOKEN nor NAME:ROLE TOKEN')
    if (second === undefined) return [{ name: UNNAMED, role: 'admin', token: first } as const]
    const [name = '', role = 'admin', ...more] = first.split(':')
    if (!NAME.test(name)) throw fault('has a name of other characters than letters, digits and _ . @ + -')
    if (more.length > 0 || !isAccessRole(role)) throw fault(`has no role after the colon: ${ACCESS_ROLES.join(', ')}`)
    return [{ name, role, token: second }]
  })
}

/** What a token file holds. Throws `usage`: for a file that others may read, too, and for one without a token. */
export function readTokenFile(path: string): Token[] {
  const tokens = readTokens(readPrivateFile(path, 'the token file'))
  if (tokens.length === 0) throw new VipswapError('usage', `the token file ${path} has no token in it`)
  return tokens
}
