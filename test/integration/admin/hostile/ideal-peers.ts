import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { observeIdeal } from '../../../../bench/scale/ideal-instance.ts'
import {
  LINK_PROTOCOL,
  type AgentHello,
  type FromAgent,
  type FromProxy,
  type ProxyHello,
  type ToAgent,
  type ToProxy,
} from '../../../../src/contracts/link.ts'
import { jsonLines, type JsonLines } from '../../../../src/core/json-lines.ts'
import { askController } from '../../../../src/core/member/controller-road.ts'

/** A node and a proxy that do at once what they are told: operations end in the turn of the loop after they began. */
export async function startIdealPeers(socket: string, node: string): Promise<{ close(): void }> {
  const instance = createServer((asked, response) => {
    asked.resume()
    response.end('instance')
  })
  instance.listen(0, '127.0.0.1')
  await once(instance, 'listening')
  const { port } = instance.address() as AddressInfo
  const peers = [
    dial(socket, agentHello(node), (message, say) => actAsAgent(message as ToAgent, say, port)),
    dial(socket, proxyHello, (message, say) => actAsProxy(message as ToProxy, say)),
  ]
  return {
    close() {
      for (const peer of peers) peer.close()
      instance.closeAllConnections()
      instance.close()
    },
  }
}

const LIFE = 'life-0'
const proxyHello: ProxyHello = {
  type: 'hello',
  peer: 'proxy',
  id: 'proxy-0',
  incarnation: LIFE,
  bootId: 'boot',
  applied: null,
  predecessors: [],
}

function agentHello(id: string): AgentHello {
  const node = { cores: 64, memoryBytes: 2 ** 36, host: '127.0.0.1', faultDomain: null, upgradeDomain: null }
  return { type: 'hello', peer: 'agent', id, incarnation: LIFE, bootId: 'boot', applied: null, node }
}

function actAsProxy({ table: { revision, listeners } }: ToProxy, say: (message: FromProxy) => void): void {
  const bound = listeners.map(({ key, port }, index) => ({ key, port: port || 40_000 + index, error: null }))
  const status = { revision, inFlight: {}, ledger: { incarnation: LIFE, rows: [] } }
  say({ type: 'ack', revision, listeners: bound, status })
}

function actAsAgent(message: ToAgent, say: (message: FromAgent) => void, port: number): void {
  if (message.type === 'assignment') {
    const { revision, packages, instances } = message.assignment
    const observed = instances.map(each => observeIdeal(each, port))
    say({ type: 'observed', revision, instances: observed, packages, packageErrors: {} })
  } else if (message.type === 'log') {
    say({ type: 'log', request: message.request, text: 'a line\n' })
    say({ type: 'log-end', request: message.request, error: null })
  }
}

function dial<T>(
  path: string,
  hello: AgentHello | ProxyHello,
  act: (message: unknown, say: (message: T) => void) => void,
): { close(): void } {
  let lines: JsonLines | null = null
  const asked = askController(
    { kind: 'socket', path },
    { path: '/link', headers: { Host: 'controller', Connection: 'Upgrade', Upgrade: LINK_PROTOCOL } },
  )
  asked.on('error', () => {})
  asked.on('upgrade', (_response, socket) => {
    const opened = jsonLines(socket, {
      onValue: value => act(value, message => opened.send(message)),
      onClose: () => {},
    })
    lines = opened
    opened.send(hello)
  })
  asked.end()
  return { close: () => lines?.destroy() }
}
