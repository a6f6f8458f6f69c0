import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { AccessRole } from '../../core/access-role.ts'
import { VipswapError } from '../../core/errors.ts'
import { own } from '../../core/own.ts'
import type { Caller } from './caller.ts'

/** Common name → role. null: whoever has a certificate of the authorities is an admin. */
export type ClientRoles = Readonly<Record<string, AccessRole>> | null

/** A caller's name goes to logs and terminals. */
const NAME = /^[\w.@+ -]{1,64}$/

/** Who showed a certificate of the clients' authorities; null: nobody did. Throws `forbidden` where it has no role. */
export function callerOfCertificate(socket: Socket, roles: ClientRoles): Caller | null {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return null
  const { subject } = socket.getPeerCertificate() as { subject?: { CN?: string | string[] } }
  const name = subject?.CN
  if (typeof name !== 'string' || !NAME.test(name))
    throw new VipswapError('forbidden', 'the certificate has not one common name that can be a name here')
  const role = roles === null ? 'admin' : own(roles, name)
  if (role === undefined)
    throw new VipswapError('forbidden', `the certificate of ${name} has no role here: admin.clients`)
  return { name, role, means: 'certificate' }
}
