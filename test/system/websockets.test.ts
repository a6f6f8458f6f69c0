import { once } from 'node:events'
import t from 'tap'
import { WebSocket } from 'ws'
import { until } from '../support/until.ts'
import { examplePackage, startSystem } from './support/system.ts'

/** A client as people write them: when its connection is closed it comes again. */
class Returning {
  readonly codes: number[] = []
  readonly errors: string[] = []
  socket: WebSocket
  readonly #url: string
  #over = false

  constructor(url: string) {
    this.#url = url
    this.socket = this.#dial()
  }

  get isOpen(): boolean {
    return this.socket.readyState === WebSocket.OPEN
  }

  async echo(text: string): Promise<string> {
    const answer = once(this.socket, 'message')
    this.socket.send(text)
    return String((await answer)[0])
  }

  end(): void {
    this.#over = true
    this.socket.terminate()
  }

  #dial(): WebSocket {
    const socket = new WebSocket(this.#url)
    socket.on('error', error => this.errors.push(error.message))
    socket.on('close', code => {
      if (this.#over) return
      this.codes.push(code)
      this.socket = this.#dial()
    })
    return socket
  }
}

t.test('WebSockets stay over a swap, are asked to come again by an upgrade, and get in at the first try', async t => {
  const system = await startSystem(t)
  const run = async (...words: string[]): Promise<void> => {
    const { code, stderr } = await system.cli(...words)
    t.equal(code, 0, `vipswap ${words.join(' ')}: ${stderr}`)
  }
  const packages = ['1.0.0', '1.1.0'].map(version =>
    examplePackage(t, `chat/${version}`, text => text.replace('drainTimeout: 5s', 'drainTimeout: 1s')),
  )
  await run('deploy', packages[0] ?? '')
  await run('deploy', packages[0] ?? '', '--slot', 'staging')
  const url = await system.url('chat', 'production')
  const clients = Array.from({ length: 12 }, () => new Returning(`${url.replace('http', 'ws')}/echo`))
  t.teardown(() => clients.forEach(client => client.end()))
  await until('all are open', () => clients.every(client => client.isOpen))
  await run('swap')
  for (const [index, client] of clients.entries()) t.equal(await client.echo(`a${index}`), `a${index}`)
  t.same(
    clients.flatMap(client => client.codes),
    [],
    'a swap closes none',
  )

  // They are with the deployment that is in staging now: an upgrade of it takes its instances away one by one.
  await run('upgrade', packages[1] ?? '', '--slot', 'staging', '--mode', 'auto')
  t.ok(
    clients.every(client => client.codes.length > 0),
    'each was asked to come again',
  )
  await until('all are open again', () => clients.every(client => client.isOpen))
  for (const [index, client] of clients.entries()) t.equal(await client.echo(`b${index}`), `b${index}`)
  await run('upgrade', packages[1] ?? '', '--mode', 'auto')
  await until('all are open again', () => clients.every(client => client.isOpen))
  for (const [index, client] of clients.entries()) t.equal(await client.echo(`c${index}`), `c${index}`)
  t.same(new Set(clients.flatMap(client => client.codes)), new Set([1001]))
  t.same(
    clients.flatMap(client => client.errors),
    [],
  )
  const [operation] = await system.client.operations({ service: 'chat' })
  t.equal((await system.client.receipt(operation?.id ?? '')).totals.broken, 0)
})
