import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { freePorts } from '../../bench/system/packages.ts'
import { builtPrograms, type Programs } from '../../src/cli/programs.ts'
import { createClient } from '../../src/client/client.ts'
import { tempDir } from '../support/temp.ts'
import { until } from '../support/until.ts'
import { processesIn, runCli, smallPackage } from './support/system.ts'

// What `vipswap controller` and the others run: a signal reaches it itself.
const PROGRAMS = builtPrograms()
const PATIENT = { timeoutMs: 60_000, intervalMs: 50 }

interface Part {
  readonly child: ChildProcess
  said(): string
  kill(signal: NodeJS.Signals): Promise<void>
}

function start(
  t: Test,
  [verb, ...words]: readonly [keyof Programs, ...string[]],
  environment: Record<string, string> = {},
): Part {
  const env: NodeJS.ProcessEnv = { ...process.env, ...environment }
  delete env['NODE_OPTIONS']
  const child = spawn(process.execPath, [PROGRAMS[verb], ...words], { stdio: ['ignore', 'pipe', 'pipe'], env })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (said += text))
  }
  const kill = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exit = once(child, 'exit')
    child.kill(signal)
    await exit
  }
  t.teardown(async () => kill('SIGKILL'))
  return { child, said: () => said, kill }
}

// Three machines as far as one has them: three data folders that share nothing, on three addresses of the loopback.
t.test('agents and proxies of other machines join with a one-time token, and need it no more', async t => {
  const root = tempDir(t)
  t.teardown(() => {
    for (const { pid } of processesIn(root)) process.kill(pid, 'SIGKILL')
  })
  const folder = (name: string): string => join(root, name)
  const first = await freePorts(4)
  const [admin, links, port] = [`127.0.0.1:${first}`, `127.0.0.2:${first + 1}`, first + 2]
  const controllerWords = ['controller', '--data', folder('c'), '--admin', admin, '--links', links] as const
  const controller = start(t, controllerWords)
  const client = createClient({ url: `http://${admin}` })
  t.teardown(() => client.close())
  await until('the controller answers', async () => (await client.members()).length === 0, PATIENT)

  const to = ['--controller', `https://${links}`] as const
  const agentWords = ['agent', '--data', folder('a'), '--node', 'far', '--host', '127.0.0.3', ...to] as const
  const made = await runCli(['member', 'token', 'agent', '--admin', `http://${admin}`])
  t.match(made, {
    code: 0,
    stderr: /vipswap agent --data DIR --node NAME --controller https:\/\/HOST:\d+ --join TOKEN/,
  })
  const tokenFile = folder('token')
  writeFileSync(tokenFile, made.stdout)
  const agent = start(t, [...agentWords, '--join', `@${tokenFile}`])
  const { token } = await client.makeJoinToken({ kind: 'proxy', name: 'edge' })
  const proxy = start(t, ['proxy', '--data', folder('p'), '--id', 'edge', ...to], { VIPSWAP_JOIN: token })
  await until(
    'both are linked',
    async () => {
      for (const part of [agent, proxy]) if (part.child.exitCode !== null) throw new Error(part.said())
      return (await client.ready()).ready
    },
    PATIENT,
  )
  t.match(await client.members(), [
    { kind: 'agent', name: 'far' },
    { kind: 'proxy', name: 'edge' },
  ])
  t.match(await client.nodes(), [{ name: 'far', status: 'online', host: '127.0.0.3' }])

  const deployed = await runCli([
    'deploy',
    smallPackage(t, { version: '1.0.0', instances: 1, port }),
    '--admin',
    `http://${admin}`,
  ])
  t.equal(deployed.code, 0, deployed.stderr)
  const url = `http://127.0.0.1:${port}`
  const environment = (await (await fetch(`${url}/env`)).json()) as Record<string, string>
  t.equal(
    environment['HOST'],
    '127.0.0.3',
    'the package went over the link, and its process listens on the other address',
  )
  t.notMatch(JSON.stringify(environment), token)

  await controller.kill('SIGKILL')
  t.equal(await (await fetch(url)).text(), '1.0.0\n', 'callers do not notice that the controller is gone')
  start(t, controllerWords)
  await agent.kill('SIGTERM')
  start(t, agentWords)
  await until('all are back, by the certificates they keep', async () => (await client.ready()).ready, PATIENT)
  t.equal((await client.members()).length, 2)

  await client.removeMember('agent', 'far')
  await until('the removed one is offline', async () => (await client.nodes())[0]?.status === 'offline', PATIENT)
  t.equal(await (await fetch(url)).text(), '1.0.0\n', 'what it runs serves on')
})
