import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Certificate } from '../peers/peer.ts'

/** A self-made certificate (ECDSA P-256, the usual choice of today) for localhost. Throws where there is no openssl. */
export function makeCertificate(folder: string): Certificate {
  const made = { certificate: join(folder, 'cert.pem'), key: join(folder, 'key.pem'), both: join(folder, 'both.pem') }
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  const files = ['-keyout', made.key, '-out', made.certificate]
  execFileSync('openssl', ['req', '-x509', ...curve, '-subj', '/CN=localhost', ...files], { stdio: 'ignore' })
  writeFileSync(made.both, readFileSync(made.certificate, 'utf8') + readFileSync(made.key, 'utf8'))
  return made
}
