import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import { headTimes } from '../../core/bounded-server.ts'
import type { Logger } from '../../core/logger.ts'
import { WatchedFiles } from '../../core/watched-files.ts'
import type { ClientRoles } from './client-certificate.ts'
import type { Guard } from './guard.ts'
import { pathsOf, readTls, type TlsFiles, type TlsMaterial } from './tls-files.ts'

export interface AdminTlsOptions extends TlsFiles {
  /** Roles of the clients' certificates. */
  readonly roles: ClientRoles
}

const HANDSHAKE_MS = 10_000
const REFRESH_MS = 1000

/** TLS of the admin address: its certificates, as their files have them now, and who may show one. */
export class AdminTls {
  readonly clients: { readonly roles: ClientRoles } | undefined
  readonly #files: WatchedFiles<TlsMaterial>
  readonly #log: Logger
  #onChange: ((material: TlsMaterial) => void) | null = null
  #refresh: NodeJS.Timeout | undefined

  /** Throws `usage` where the files cannot be used. */
  constructor(options: AdminTlsOptions, log: Logger) {
    this.clients = options.clientCa === null ? undefined : { roles: options.roles }
    this.#log = log
    this.#files = new WatchedFiles(pathsOf(options), () => readTls(options), {
      onChange: material => this.#onChange?.(material),
      onFault: message => log.error(`the changed certificates of the admin address are not used: ${message}`),
    })
  }

  /** DNS names of the certificate in use. */
  get names(): readonly string[] {
    return this.#files.value.names
  }

  createServer(
    handler: (request: IncomingMessage, response: ServerResponse) => void,
    guard: Guard,
    headTimeoutMs?: number,
  ): Server {
    const server = createServer(
      {
        ...this.#files.value.context,
        requestCert: this.clients !== undefined,
        // Where nothing but a certificate lets anybody in, strangers do not get past the handshake.
        rejectUnauthorized: this.clients !== undefined && !guard.takesTokens,
        handshakeTimeout: HANDSHAKE_MS,
        requestTimeout: 0,
        ...headTimes(headTimeoutMs),
      },
      handler,
    )
    server.on('tlsClientError', error => this.#log.debug({ error: error.message }, 'a TLS handshake failed'))
    this.#onChange = ({ context }) => {
      server.setSecureContext(context)
      guard.cutCertificates()
      this.#log.info('the certificates of the admin address were changed and are in force')
    }
    this.#refresh = setInterval(() => this.#files.refresh(), REFRESH_MS)
    this.#refresh.unref()
    return server
  }

  close(): void {
    clearInterval(this.#refresh)
  }
}
