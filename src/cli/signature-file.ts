import { readFileSync } from 'node:fs'
import { systemCode } from '../core/errors.ts'

/** Where the signature of a package lies: beside it, also of a folder. */
export function signatureFileOf(path: string): string {
  return `${path.replace(/(?<=.)\/+$/, '')}.minisig`
}

/** The text of the signature beside a package; undefined where there is none. */
export function readSignatureOf(path: string): string | undefined {
  try {
    return readFileSync(signatureFileOf(path), 'utf8')
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}
