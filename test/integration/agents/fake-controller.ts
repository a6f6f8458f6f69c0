import { createServer, type Server } from 'node:http'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import * as tar from 'tar'
import type { Assignment, InstanceObservation } from '../../../src/contracts/assignment.ts'
import { LINK_PROTOCOL, type AgentHello, type FromAgent, type ToAgent } from '../../../src/contracts/link.ts'
import type { Revision } from '../../../src/contracts/revision.ts'
import { jsonLines, type JsonLines } from '../../../src/core/json-lines.ts'
import { until } from '../../support/until.ts'

export type Observed = Extract<FromAgent, { type: 'observed' }>

/** A controller's end of the link, with packages out of directories, keeping all it was told. */
export class FakeController {
  readonly hellos: AgentHello[] = []
  readonly received: FromAgent[] = []
  readonly packages = new Map<string, string>()
  /** While set, connections that ask for a package are cut. */
  packagesAreCut = false
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #lines: JsonLines | null = null
  last: Observed | null = null
  readonly path: string

  constructor(run: string) {
    this.path = join(run, 'controller.sock')
    this.#server = createServer((request, response) => {
      if (this.packagesAreCut) {
        request.socket.destroy()
        return
      }
      const directory = this.packages.get(request.url?.replace('/packages/', '') ?? '')
      if (directory === undefined) response.writeHead(404).end()
      else tar.create({ cwd: directory, portable: true }, ['.']).pipe(response)
    })
    this.#server.on('connection', socket => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
    })
    this.#server.on('upgrade', (request, socket) => {
      if (request.headers.upgrade !== LINK_PROTOCOL) throw new Error('not the link protocol')
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${LINK_PROTOCOL}\r\n\r\n`)
      const lines = jsonLines(socket, {
        // The agent's side of the contract is what is tested.
        onValue: value => this.#receive(value as FromAgent),
        onClose: () => {
          if (this.#lines === lines) this.#lines = null
        },
      })
      this.#lines = lines
    })
  }

  async listen(): Promise<void> {
    await new Promise<void>(resolve => {
      this.#server.listen(this.path, resolve)
    })
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise(resolve => {
      this.#server.close(resolve)
    })
  }

  async send(message: ToAgent): Promise<void> {
    const lines = await until('an agent is linked', () => this.#lines)
    lines.send(message)
  }

  async assign(assignment: Assignment): Promise<void> {
    await this.send({ type: 'assignment', assignment })
  }

  /** The revision reported last. */
  get applied(): Revision | null {
    return this.last?.revision ?? null
  }

  instance(key: string): InstanceObservation | undefined {
    return this.last?.instances.find(instance => instance.key === key)
  }

  /** Waits until what was reported last of an instance fits. */
  async untilInstance(
    key: string,
    what: string,
    fits: (instance: InstanceObservation) => boolean,
    timeoutMs = 10_000,
  ): Promise<InstanceObservation> {
    try {
      return await until(
        `${key} is ${what}`,
        () => {
          const instance = this.instance(key)
          return instance !== undefined && fits(instance) ? instance : null
        },
        { timeoutMs },
      )
    } catch (error) {
      throw new Error(`${String(error)}; ${JSON.stringify(this.last)}`, { cause: error })
    }
  }

  #receive(message: FromAgent): void {
    this.received.push(message)
    if (message.type === 'hello') this.hellos.push(message)
    if (message.type === 'observed') this.last = message
  }
}
