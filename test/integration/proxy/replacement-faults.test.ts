import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { askForReplacement, runningProxy } from '../../../proxy/holder/succession/ask.ts'
import { writeRequest } from '../../../proxy/holder/succession/request.ts'
import { identify, isAlive, listProcesses, type ProcessIdentity } from '../../../src/core/process-identity.ts'
import { until } from '../../support/until.ts'
import { free, GET, startProxy } from './holder-support.ts'
import { lockOf, MAIN, startReplaceable } from './replacement-support.ts'
import { answering, ask, isWhole, ok, pool, rawClient, startOrigin, table, target, type Test } from './support.ts'

/** A proxy whose successors stand still, or end, in place of saying `word`. */
async function startWithSuccessor(t: Test, word: string, act: string) {
  const origin = await answering(t, ok('x'))
  const first = table([pool([target(origin)])], { listeners: [free()] })
  const started = await startReplaceable(t, first)
  const { dirs } = started
  const script = join(dirs.data, 'successor.mjs')
  writeFileSync(
    script,
    `const send = process.send.bind(process)
    process.send = (message, ...rest) => {
      if (message.type !== '${word}') return send(message, ...rest)
      ${act}
    }
    await import(${JSON.stringify(MAIN)})`,
  )
  const folder = join(dirs.data, 'proxy', 'proxy-0')
  const running = runningProxy(folder)
  if (running === null) throw new Error('it does not run')
  const asked = askForReplacement(folder, running, { execPath: process.execPath, script, workers: null, drainMs: 5000 })
  const answer = asked.then(String, String)
  return { ...started, running, answer }
}

/** The child of `parent` that runs as its successor. */
async function successorOf(parent: number): Promise<ProcessIdentity> {
  return until('the successor is there', () => {
    for (const row of listProcesses()) {
      // In a session of its own: workers are in their holder's group.
      if (row.parent === parent && row.group === row.pid) return identify(row.pid)
    }
    return null
  })
}

async function gone(...processes: readonly (ProcessIdentity | null)[]): Promise<void> {
  await until('they are gone', () => !processes.some(one => one !== null && isAlive(one)), { timeoutMs: 20_000 })
}

function childrenOf(pid: number): (ProcessIdentity | null)[] {
  return listProcesses().flatMap(row => (row.parent === pid ? identify(row.pid) : []))
}

void t.test('a replacement whose answer cannot be written has happened all the same', async t => {
  const origin = await answering(t, ok('x'))
  const { dirs, port, proxy, controller } = await startReplaceable(
    t,
    table([pool([target(origin)])], { listeners: [free()] }),
  )
  const folder = join(dirs.data, 'proxy', 'proxy-0')
  const running = runningProxy(folder)
  if (running === null) throw new Error('it does not run')
  // A file is not renamed to a folder.
  mkdirSync(join(folder, 'replaced.json'))
  writeRequest(folder, { execPath: process.execPath, script: MAIN, workers: null, drainMs: 5000 })
  process.kill(running.pid, 'SIGUSR2')
  t.equal(await proxy.exited, 0, 'the old process ends by itself')
  t.match(await ask(t, port, GET), /x$/)
  t.equal(controller.hellos.length, 2)
})

void t.test('a proxy that is told to end takes the successor that does not serve yet with it', async t => {
  const { running, answer, controller } = await startWithSuccessor(t, 'serving', '')
  const successor = await successorOf(running.pid)
  await until('it is linked', () => controller.hellos.length === 2)
  const all = [running, successor, ...childrenOf(running.pid), ...childrenOf(successor.pid)]
  process.kill(running.pid, 'SIGTERM')
  await gone(...all)
  t.match(await answer, /told to end|ended meanwhile/)
})

void t.test('a successor whose predecessor is killed before it has the place ends', async t => {
  const { running, answer, controller, dirs, port } = await startWithSuccessor(t, 'serving', '')
  const successor = await successorOf(running.pid)
  await until('it is linked', () => controller.hellos.length === 2)
  const all = [running, successor, ...childrenOf(running.pid), ...childrenOf(successor.pid)]
  process.kill(running.pid, 'SIGKILL')
  await gone(...all)
  t.match(await answer, /ended meanwhile/)
  startProxy(t, dirs)
  await until('the next one serves', async () => (await ask(t, port, GET).catch(String)).endsWith('\r\n\r\nx'))
  t.equal(controller.hellos.at(-1)?.predecessors.filter(({ exited }) => exited).length, 2)
})

void t.test('of a successor that dies before it has the place the controller hears that it is gone', async t => {
  const { running, answer, controller, port, replace, proxy } = await startWithSuccessor(t, 'serving', '')
  const successor = await successorOf(running.pid)
  await until('it is linked', () => controller.hellos.length === 2)
  process.kill(successor.pid, 'SIGKILL')
  t.match(await answer, /successor ended/)
  const incarnation = controller.hellos[1]?.incarnation
  await until('it is told', () =>
    controller.messages.some(
      message => message.type === 'predecessor' && message.incarnation === incarnation && message.exited,
    ),
  )
  t.match(await ask(t, port, GET), /x$/)
  await replace()
  t.equal(await proxy.exited, 0)
  t.match(await ask(t, port, GET), /x$/)
})

void t.test('a successor that dies with lock and pid file gives both back', async t => {
  const { running, answer, dirs, port, replace, proxy } = await startWithSuccessor(
    t,
    'took',
    `process.kill(process.pid, 'SIGKILL')`,
  )
  t.match(await answer, /successor ended \(SIGKILL\)/)
  t.equal(lockOf(dirs)?.pid, running.pid)
  t.match(await ask(t, port, GET), /x$/)
  await replace()
  t.equal(await proxy.exited, 0)
})

void t.test('a proxy whose successor dies with connections on their way to it ends', async t => {
  // It has the place and reads nothing any more.
  const { running, answer, port } = await startWithSuccessor(
    t,
    'took',
    `send(message, ...rest, () => process.kill(process.pid, 'SIGSTOP'))`,
  )
  const clients = await Promise.all(Array.from({ length: 50 }, async () => rawClient(t, port, GET)))
  for (const client of clients) await client.until(isWhole)
  const successor = await successorOf(running.pid)
  const workers = childrenOf(running.pid).filter(one => one?.pid !== successor.pid)
  t.match(await answer, /^\d+$/)
  process.kill(successor.pid, 'SIGKILL')
  await gone(running, successor, ...workers)
  await until('no client is left waiting', () =>
    clients.every(({ socket }) => socket.readableEnded || socket.destroyed),
  )
})

void t.test('a worker whose holder dies with connections on their way ends', async t => {
  const { running, answer, port } = await startWithSuccessor(
    t,
    'took',
    `send(message, ...rest, () => process.kill(process.pid, 'SIGSTOP'))`,
  )
  const clients = await Promise.all(Array.from({ length: 50 }, async () => rawClient(t, port, GET)))
  for (const client of clients) await client.until(isWhole)
  const successor = await successorOf(running.pid)
  const workers = childrenOf(running.pid).filter(one => one?.pid !== successor.pid)
  t.match(await answer, /^\d+$/)
  process.kill(running.pid, 'SIGKILL')
  await gone(running, ...workers)
  process.kill(successor.pid, 'SIGKILL')
  await gone(successor)
})

void t.test('a connection goes on over two successors, and a stop reaches all of them', async t => {
  let finish: () => void = () => {}
  const origin = await startOrigin(t, (text, socket, clear) => {
    if (!text.endsWith('\r\n\r\n')) return
    clear()
    if (!text.startsWith('GET /long')) socket.write(ok('x'))
    else {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf ')
      finish = () => socket.write('whole')
    }
  })
  const first = table([pool([target(origin)])], { listeners: [free()] })
  const { controller, port, replace, proxy, dirs } = await startReplaceable(t, first)
  const client = await rawClient(t, port, 'GET /long HTTP/1.1\r\nHost: a\r\n\r\n')
  await client.until(text => text.endsWith('half '))
  const stuck = await rawClient(t, port, 'GET /long HTTP/1.1\r\nHost: a\r\n\r\n')
  await stuck.until(text => text.endsWith('half '))
  const finishStuck = finish
  t.equal(typeof finishStuck, 'function')
  await replace()
  const second = lockOf(dirs)
  await replace()
  const third = lockOf(dirs)
  t.not(second?.pid, third?.pid)
  const next = table([pool([target(origin)])], { listeners: [free()] })
  controller.messages.length = 0
  controller.push(next)
  await until('all three acknowledge', () => controller.messages.filter(({ type }) => type === 'ack').length >= 3)
  finish()
  await until('one of them is whole', () => isWhole(client.text) || isWhole(stuck.text))
  const over = isWhole(client.text) ? client : stuck
  over.text = ''
  over.send(GET)
  t.match(await over.until(isWhole), /^HTTP\/1\.1 200 OK[\s\S]*x$/)
  t.notMatch(over.text, /connection: close/i)
  t.equal(proxy.child.exitCode, null, 'the other is still there')
  const all = [identify(proxy.child.pid ?? 0), second, third]
  process.kill(third?.pid ?? 0, 'SIGTERM')
  await gone(...all)
})

void t.test('of two who ask at once one is refused', async t => {
  const origin = await answering(t, ok('x'))
  const first = table([pool([target(origin)])], { listeners: [free()] })
  const { port, replace, proxy } = await startReplaceable(t, first)
  const answers = await Promise.allSettled([replace(), replace()])
  t.same(answers.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
  for (const answer of answers) if (answer.status === 'rejected') t.match(String(answer.reason), /another replacement/)
  t.equal(await proxy.exited, 0)
  t.match(await ask(t, port, GET), /x$/)
})
