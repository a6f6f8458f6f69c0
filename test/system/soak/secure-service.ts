import { writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { setTimeout as delay } from 'node:timers/promises'
import type { Vip } from '../../../bench/load/plan.ts'
import type { Outcome } from '../../../bench/load/records.ts'
import { makeAuthority, makeCertificate, type Authority, type MadeCertificate } from '../../support/certificates.ts'
import type { Recorder } from '../faults/history/recorder.ts'
import { timeNow } from '../faults/history/recorder.ts'
import { smallPackage, type System, type Teardown } from '../support/system.ts'

const NAME = 'secure'
const HOST_NAME = `${NAME}.localhost`
const THINK_MS = 100
const TIMEOUT_MS = 20_000

/** A service by https, of which certificates are changed while clients ask; each asks over a new connection, once. */
export class SecureService {
  readonly #system: System
  readonly #recorder: Recorder
  readonly #authority: Authority
  /** Serial numbers that may be shown: the one published last, and while a change is under way the next. */
  #shown: ReadonlySet<string> = new Set()
  #count = 0

  private constructor(system: System, recorder: Recorder, authority: Authority) {
    this.#system = system
    this.#recorder = recorder
    this.#authority = authority
  }

  /** Deploys it. */
  static async start(owner: Teardown, system: System, recorder: Recorder): Promise<SecureService> {
    const service = new SecureService(system, recorder, await makeAuthority())
    const certificate = await service.#certificate()
    const folder = smallPackage(owner, { name: NAME, version: '1.0.0', instances: 2, secured: certificate })
    const { code, stderr } = await system.cli('deploy', folder)
    if (code !== 0) throw new Error(`the service by https could not be deployed: ${stderr}`)
    service.#shown = new Set([certificate.serial])
    return service
  }

  /** Another certificate; from its end on, new connections must be shown that. */
  async renew(folder: string): Promise<string> {
    const certificate = await this.#certificate()
    this.#shown = new Set([...this.#shown, certificate.serial])
    writeFileSync(join(folder, 'site.pem'), certificate.chain + certificate.key)
    const file = join(folder, 'renew.yaml')
    writeFileSync(file, 'roles:\n  web:\n    certificates: { site: site.pem }\n')
    const { code, stderr } = await this.#system.cli('config', 'apply', file, '--service', NAME)
    if (code === 0) this.#shown = new Set([certificate.serial])
    return code === 0 ? '' : stderr
  }

  /** Its production address. */
  async vip(): Promise<Vip> {
    const address = (await this.#system.client.service(NAME)).vips.find(({ slot }) => slot === 'production')
    if (address?.port == null) throw new Error('the service by https has no address')
    return { name: 'production by https', host: address.host, port: address.port }
  }

  /** Asks until the signal. */
  async run(vip: Vip, clients: number, stop: AbortSignal): Promise<void> {
    const client = async (): Promise<void> => {
      while (!stop.aborted) {
        await this.#ask(vip)
        await delay(THINK_MS * (0.5 + Math.random()))
      }
    }
    await Promise.all(Array.from({ length: clients }, client))
  }

  async #ask(vip: Vip): Promise<void> {
    this.#count += 1
    const start = timeNow()
    const allowed = this.#shown
    const { outcome, status, serial } = await ask(vip, this.#authority.ca)
    const isShown = serial === '' || allowed.has(serial) || this.#shown.has(serial)
    this.#recorder.add({
      type: 'request',
      client: NAME,
      vip: vip.name,
      method: 'GET',
      nonce: `${NAME}-${this.#count}`,
      start,
      head: null,
      end: timeNow(),
      outcome: isShown ? outcome : 'corrupt',
      status,
      deployment: '',
      instance: '',
      version: '',
    })
  }

  async #certificate(): Promise<MadeCertificate> {
    return makeCertificate({ names: [HOST_NAME], authority: this.#authority })
  }
}

interface Answer {
  readonly outcome: Outcome
  readonly status: number
  readonly serial: string
}

async function ask({ host, port }: Vip, ca: string): Promise<Answer> {
  return new Promise(resolve => {
    let serial = ''
    const call = request({ host, port, servername: HOST_NAME, ca, agent: false, timeout: TIMEOUT_MS })
    call.on('socket', socket => {
      socket.on('secureConnect', () => {
        // An https request has no other kind of socket.
        serial = (socket as TLSSocket).getPeerCertificate().serialNumber.toLowerCase()
      })
    })
    call.on('timeout', () => call.destroy(new Error('timeout')))
    call.on('error', error => {
      const lost = serial === '' ? 'refused' : 'reset'
      resolve({ outcome: error.message === 'timeout' ? 'timeout' : lost, status: 0, serial })
    })
    call.on('response', answer => {
      const status = answer.statusCode ?? 0
      answer.resume()
      answer.on('error', () => resolve({ outcome: 'short', status, serial }))
      answer.on('end', () => resolve({ outcome: status === 200 ? 'ok' : 'status', status, serial }))
    })
    call.end()
  })
}
