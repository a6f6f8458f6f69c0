import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { askForReplacement, runningProxy } from '../../../proxy/holder/succession/ask.ts'
import { until } from '../../support/until.ts'
import { free, GET } from './holder-support.ts'
import { counted, lockOf, startReplaceable } from './replacement-support.ts'
import { answering, ask, isWhole, ok, pool, rawClient, startOrigin, table, target } from './support.ts'
import { get, httpsListener, serverCertificate, tlsClient, withCertificates } from './tls-support.ts'

void t.test('under load nobody is refused, cut or asked to come again', async t => {
  const origin = await startOrigin(t, (text, socket, clear) => {
    if (!text.endsWith('\r\n\r\n')) return
    clear()
    socket.write(ok('x'))
  })
  const first = table([pool([target(origin)])], { listeners: [free()] })
  const { controller, port, replace, proxy } = await startReplaceable(t, first, 2)
  let stop = false
  let served = 0
  const failures: string[] = []
  const kept = async (): Promise<void> => {
    const client = await rawClient(t, port)
    while (!stop) {
      client.text = ''
      client.send(GET)
      try {
        const text = await client.until(isWhole)
        if (!text.startsWith('HTTP/1.1 200 ') || /connection: close/i.test(text)) failures.push(text)
        served++
      } catch (error) {
        failures.push(String(error))
        return
      }
    }
    client.socket.destroy()
  }
  const oneShot = async (): Promise<void> => {
    while (!stop) {
      const text = await ask(t, port, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n').catch(String)
      if (text.startsWith('HTTP/1.1 200 ')) served++
      else failures.push(text)
    }
  }
  const idle = await Promise.all(Array.from({ length: 20 }, async () => rawClient(t, port, GET)))
  for (const client of idle) await client.until(isWhole)
  const unused = await rawClient(t, port)
  const loads = [...Array.from({ length: 16 }, kept), oneShot(), oneShot()]
  await until('the load runs', () => served > 100)
  const { stdout } = await replace()
  t.match(stdout, /^proxy proxy-0 is now pid \d+; pid \d+ ends/)
  t.equal(await proxy.exited, 0, 'the old process ends by itself')
  const before = served
  await until('the load goes on', () => served > before + 200)
  const again = await replace()
  t.match(again.stdout, /is now pid/)
  stop = true
  await Promise.all(loads)
  t.same(failures.slice(0, 3), [], `${served} requests`)
  for (const client of [...idle, unused]) {
    client.text = ''
    client.send(GET)
    t.match(await client.until(isWhole), /^HTTP\/1\.1 200 /, 'an idle connection goes on')
  }
  const last = controller.hellos.at(-1)
  t.same(
    last?.predecessors.map(({ incarnation }) => incarnation),
    controller.hellos.slice(0, -1).map(({ incarnation }) => incarnation),
  )
  await until('the counts add up', () => {
    const { incarnations, arrived, answered } = counted(controller)
    return incarnations === 3 && arrived === answered && answered >= served + 41
  })
  t.ok(counted(controller).broken.every(causes => Object.keys(causes).length === 0))
})

void t.test('tunnels and long answers end where they began, tables are followed meanwhile', async t => {
  const sockets: { write(text: string): unknown }[] = []
  const origin = await startOrigin(t, (text, socket, clear) => {
    if (text.includes('Upgrade: raw')) {
      if (!text.endsWith('\r\n\r\n')) return
      clear()
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\n')
    } else if (text.startsWith('GET /long') && text.endsWith('\r\n\r\n')) {
      clear()
      sockets.push(socket)
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf ')
    } else if (text === 'ping') {
      clear()
      socket.write('pong')
    }
  })
  const old = pool([target(origin)])
  const { controller, port, replace, proxy } = await startReplaceable(t, table([old], { listeners: [free()] }))
  const tunnel = await rawClient(t, port, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\n')
  await tunnel.until(text => text.endsWith('\r\n\r\n'))
  const long = await rawClient(t, port, 'GET /long HTTP/1.1\r\nHost: a\r\n\r\n')
  await long.until(text => text.endsWith('half '))
  await replace()
  tunnel.text = ''
  tunnel.send('ping')
  await tunnel.until(text => text === 'pong')

  const other = await answering(t, ok('other'))
  const second = table([old, pool([target(other, { name: 'web_IN_1' })], { key: 'other' })], {
    listeners: [{ ...free(), pool: 'other' }],
  })
  controller.messages.length = 0
  controller.push(second)
  await until('both have it', () => controller.messages.filter(message => message.type === 'ack').length >= 2)
  t.match(await ask(t, port, GET), /other$/)

  sockets[0]?.write('whole')
  t.match(await long.until(isWhole), /half whole$/)
  long.text = ''
  long.send(GET)
  t.match(await long.until(isWhole), /other$/, 'then its connection goes over')
  t.equal(proxy.child.exitCode, null, 'the tunnel is still there')
  tunnel.socket.destroy()
  t.equal(await proxy.exited, 0)
})

void t.test('a TLS connection is told with its next answer, and its session goes on at the successor', async t => {
  const certificate = await serverCertificate(['app.localhost'])
  const origin = await answering(t, ok('x'))
  const listeners = [{ ...httpsListener([certificate]), port: 0 }]
  const first = withCertificates(table([pool([target(origin)])], { listeners }), [certificate])
  const { port, replace, proxy } = await startReplaceable(t, first)
  const client = await tlsClient(t, port)
  let session: Buffer | undefined
  client.socket.on('session', ticket => {
    session = ticket
  })
  client.send(get('app.localhost'))
  t.notMatch(await client.answer(), /connection: close/i)
  await replace()
  t.equal(client.socket.readableEnded, false, 'idle it is not closed')
  client.text = ''
  client.send(get('app.localhost'))
  t.match(await client.answer(), /^HTTP\/1\.1 200 [\s\S]*Connection: close/)
  client.socket.destroy()
  t.equal(await proxy.exited, 0)
  const next = await tlsClient(t, port, session === undefined ? {} : { session })
  t.ok(next.socket.isSessionReused())
  next.send(get('app.localhost'))
  t.match(await next.answer(), /^HTTP\/1\.1 200 /)
  next.socket.destroy()
})

void t.test('a successor that does not come up changes nothing', async t => {
  const origin = await answering(t, ok('x'))
  const first = table([pool([target(origin)])], { listeners: [free()] })
  const { port, replace, proxy, dirs, controller } = await startReplaceable(t, first)
  const before = lockOf(dirs)
  await t.rejects(replace('--workers', '1', '--id', 'nobody'), /no proxy nobody runs/)
  await t.rejects(replace('--drain-timeout', 'soon'), /not replaced: "soon" is not a duration/)
  const broken = join(dirs.data, 'broken.mjs')
  writeFileSync(broken, 'process.exit(3)')
  const folder = join(dirs.data, 'proxy', 'proxy-0')
  const running = runningProxy(folder)
  if (running === null) throw new Error('it does not run')
  const asked = { execPath: process.execPath, script: broken, workers: null, drainMs: 1000 }
  await t.rejects(askForReplacement(folder, running, asked), /successor ended \(exit status 3\)/)
  t.same(lockOf(dirs), before)
  t.match(await ask(t, port, GET), /x$/)
  t.equal(proxy.child.exitCode, null)
  await replace()
  t.equal(await proxy.exited, 0, 'and the next one may')
  t.match(await ask(t, port, GET), /x$/)
  t.equal(controller.hellos.length, 2)
})
