import { execFile } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { createClient } from '../../../src/client/client.ts'
import { deployIfEmpty } from '../../../src/cli/up/deploy-package.ts'
import { createProgram } from '../../../src/cli/program.ts'
import { EXAMPLES, verbsOf } from '../../../src/cli/examples.ts'
import { tempDir } from '../../support/temp.ts'
import { fakeTerminal } from './fake-terminal.ts'
import { fabric } from './rig.ts'

const MAIN = fileURLToPath(new URL('../../../src/cli/main.js', import.meta.url))
const programOf = () => createProgram({ terminal: fakeTerminal(), setExitCode: () => undefined, userCommand: [] })

t.test('every verb has one example in its help, and the example is a command line of that verb', async t => {
  const paths = verbsOf(programOf()).map(({ path }) => path)
  t.strictSame(paths.toSorted(), Object.keys(EXAMPLES).toSorted(), 'no verb without, no example of another')
  for (const [path, example] of Object.entries(EXAMPLES)) {
    const program = programOf()
    const ran: string[] = []
    for (const verb of verbsOf(program)) verb.command.action(() => void ran.push(verb.path))
    const [name, ...words] = example.split(' ')
    t.equal(name, 'vipswap')
    await program.parseAsync(words, { from: 'user' })
    t.strictSame(ran, [path], example)
    const help = verbsOf(program).find(verb => verb.path === path)
    let shown = ''
    help?.command.configureOutput({ writeOut: text => void (shown += text) }).outputHelp()
    t.match(shown, `Example:\n  ${example}\n`)
  }
})

t.test('every verb of the contract is there', async t => {
  const { run } = await fabric(t)
  const contract =
    'up controller proxy agent deploy swap upgrade walk rollback config scale pause resume suspend start delete reboot reimage drain undrain nodes node plan status events operations receipt traffic logs explain validate keygen sign gc completion'
  for (const verb of contract.split(' '))
    t.match(await run(verb, '--help'), { code: 0, stdout: /^Usage: vipswap / }, verb)
})

t.test('every result is a JSON document that names its schema', async t => {
  const { run } = await fabric(t)
  const folder = join(tempDir(t), 'guestbook')
  mkdirSync(folder)
  const role = 'command: node server.js\n    endpoints: { http: { port: 8080 } }'
  writeFileSync(join(folder, 'service.yaml'), `name: guestbook\nversion: 1.0.0\nroles:\n  web:\n    ${role}\n`)
  const configuration = join(tempDir(t), 'c.yaml')
  writeFileSync(configuration, 'roles: { web: { instances: 3 } }\n')
  await run('swap')
  /** Words in place of an example's, where it names files or operations that are not there. */
  const words: Readonly<Record<string, string[]>> = {
    deploy: ['deploy', folder],
    upgrade: ['upgrade', folder],
    'plan upgrade': ['plan', 'upgrade', folder],
    validate: ['validate', folder],
    keygen: ['keygen', join(folder, '..', 'release.key')],
    sign: ['sign', folder, '--statement'],
    'config apply': ['config', 'apply', configuration],
    operations: ['operations', 'op-1'],
    receipt: ['receipt', 'op-1'],
    force: ['force', 'op-1'],
    'member remove': ['member', 'remove', 'agent', 'far'],
    status: ['status'],
    events: ['events'],
    logs: ['logs', 'web_IN_0'],
    traffic: ['traffic'],
  }
  // These run processes, and stay.
  const others = new Set(['up', 'controller', 'proxy', 'agent'])
  for (const [path, example] of Object.entries(EXAMPLES)) {
    if (others.has(path)) continue
    const { stdout, stderr } = await run(...(words[path] ?? example.split(' ').slice(1)), '--json')
    const documents = stdout.split('\n').filter(line => line !== '')
    if (path !== 'events') t.ok(documents.length > 0, `${path}: ${stderr}`)
    for (const document of documents)
      t.match(JSON.parse(document), { schema: /^vipswap\.[a-z-]+\/1$/ }, `${path}: ${document.slice(0, 60)}`)
    t.notMatch(stdout, 'vipswap.error', `${path}: ${stdout}`)
  }
})

t.test('explain: state, place, health, last lines', async t => {
  const { run } = await fabric(t)
  const { code, stdout } = await run('explain', 'web_IN_0')
  t.equal(code, 0)
  t.match(stdout, /^web_IN_0 of role web, version 1\.0\.0, domain 0 on node-0, 0 in flight\n {2}ReadyRole: /)
  t.match(stdout, /it is in the routing table and chosen from[^]*its last lines:\n {2}\| one\n {2}\| two\n$/)
  t.match(await run('explain', 'web_IN_9'), { code: 1, stderr: /there are: web_IN_0, web_IN_1 \[instance_not_found\]/ })
})

t.test('what up deploys and does not come up: the end of its log is told, since it ends with up', async t => {
  const { api, url } = await fabric(t)
  const client = createClient({ url })
  t.teardown(() => client.close())
  const folder = tempDir(t)
  writeFileSync(
    join(folder, 'service.yaml'),
    'name: guestbook\nversion: 1.0.0\nroles: { web: { command: node x.js } }\n',
  )
  const ill = api.deployment('guestbook', 'production')
  if (ill === null) throw new Error('no deployment')
  const instances = ill.instances.map(each => ({ ...each, status: 'FailedStartingRole' as const }))
  api.deployment = () => ({ ...ill, instances })
  api.services = () => []
  api.ending = 'Failed'
  api.logPieces = ['one\ntwo\n', 'cannot find \u001b]0;x\u0007 x.js\n']
  const notes: string[] = []
  const context = { client, url, note: (line: string) => notes.push(line), signal: new AbortController().signal }
  await t.rejects(deployIfEmpty(context, folder, 'production', { label: 'node x.js' }), {
    code: 'start_failed',
    message:
      /did not come up in production: .*\nthe log of web_IN_0 ends:\n {2}one\n {2}two\n {2}cannot find .\]0;x. x\.js$/,
  })
  t.strictSame(
    notes,
    ['deploying guestbook 1.0.0 to production'],
    'and of a file that up wrote itself nothing is found fault with',
  )
})

function isMissing(command: string): string | false {
  const found = (process.env['PATH'] ?? '').split(':').some(folder => existsSync(join(folder, command)))
  return found ? false : `${command} is not installed`
}

t.test('completion', async t => {
  const { run, url } = await fabric(t)
  const complete = async (...words: string[]): Promise<string[]> =>
    (await run('__complete', '--', ...words)).stdout.split('\n').slice(0, -1)
  await run('swap')
  for (const [words, expected] of [
    [['sw'], ['swap']],
    [['re'], ['reboot', 'receipt', 'recovery', 'reimage', 'resume']],
    [
      ['swap', ''],
      ['cancel', 'commit', 'prepare'],
    ],
    [['config', ''], ['apply']],
    [
      ['upgrade', '--mode', 'un'],
      ['unmonitored-auto', 'unmonitored-manual'],
    ],
    [
      ['--slot', ''],
      ['production', 'staging'],
    ],
    [['status', '--slot', 'st'], ['staging']],
    [['upgrade', '--res'], ['--restart-unchanged']],
    [
      ['pause', '--t'],
      ['--timeout', '--token'],
    ],
    [['status', '--slot=st'], ['--slot=staging']],
    [['status', '--slot', '=', 'st'], ['staging']],
    [['status', '--watch='], []],
    [
      ['completion', ''],
      ['bash', 'fish', 'zsh'],
    ],
    [['--service', ''], ['guestbook']],
    [
      ['reboot', 'web'],
      ['web_IN_0', 'web_IN_1'],
    ],
    [
      ['logs', '-f', ''],
      ['web_IN_0', 'web_IN_1'],
    ],
    [['receipt', ''], ['op-1']],
    [['node', 'drain', ''], ['node-0']],
    [['deploy', ''], []],
    [['reboot', 'web_IN_0', ''], []],
  ] as const) {
    t.strictSame(await complete(...words), expected, words.join(' '))
  }
  await t.test('nobody there: no names, no noise, at once', async t => {
    const { stdout, stderr, code } = await run('__complete', '--', '--admin', '127.0.0.1:1', 'reboot', '')
    t.strictSame({ stdout, stderr, code }, { stdout: '', stderr: '', code: 0 })
  })
  for (const shell of ['bash', 'zsh', 'fish'])
    t.match((await run('completion', shell)).stdout, /vipswap __complete -- /)

  const folder = tempDir(t)
  writeFileSync(join(folder, 'vipswap'), `#!/bin/sh\nexec ${process.execPath} ${MAIN} "$@"\n`)
  chmodSync(join(folder, 'vipswap'), 0o755)
  const { NODE_OPTIONS: _none, ...environment } = process.env
  const env = { ...environment, PATH: `${folder}:${environment['PATH'] ?? ''}`, VIPSWAP_ADMIN: url }

  await t.test('bash itself takes it', async t => {
    const script = `
      source <(vipswap completion bash)
      ask() { COMP_WORDS=(vipswap "$@"); COMP_CWORD=$#; COMPREPLY=(); _vipswap; echo "\${COMPREPLY[*]}"; }
      ask re; ask logs ''; ask --slot st; complete -p vipswap`
    const { stdout } = await promisify(execFile)('bash', ['--norc', '-c', script], { env })
    const [verbs, instances, slots, registered] = stdout.split(/\n(?=web|staging|complete)/)
    t.equal(
      verbs,
      'reboot\nreceipt\nrecovery\nreimage\nresume'.replaceAll('\n', verbs?.includes('\n') === true ? '\n' : ' '),
    )
    t.match(instances, /^web_IN_0\s/)
    t.match(slots, /^staging/)
    t.match(registered, /complete -o bashdefault -o default -F _vipswap vipswap/)
  })
  await t.test('zsh, on a terminal', { skip: isMissing('zsh') }, async t => {
    // After Tab, Ctrl-O prints what the line is now.
    const script = `
      zmodload zsh/zpty
      zpty -b s 'zsh -f -i'
      zpty -w s 'source <(vipswap completion zsh); show() { print -r -- "<$BUFFER>" }; zle -N show; bindkey "^O" show; print loa""ded'
      zpty -r s seen '*loaded*'
      for typed in 'vipswap rebo' 'vipswap logs w' 'vipswap status --slot st'; do
        zpty -n -w s "$typed"$'\\t\\x0f'
        zpty -r s seen $'*<*>*' && print -r -- "\${\${seen##*<}%%>*}"
        zpty -n -w s $'\\x15'
      done
      zpty -d s`
    const { stdout } = await promisify(execFile)('zsh', ['-f', '-c', script], { env, timeout: 60_000 })
    const lines = ['vipswap reboot ', 'vipswap logs web_IN_', 'vipswap status --slot staging ']
    t.equal(stdout, `${lines.join('\n')}\n`)
  })
  await t.test('fish', { skip: isMissing('fish') }, async t => {
    const script = `
      vipswap completion fish | source
      for line in 'vipswap re' 'vipswap logs ' 'vipswap status --slot=st'; complete -C $line; end`
    const { stdout } = await promisify(execFile)('fish', ['--no-config', '-c', script], { env, timeout: 60_000 })
    t.equal(stdout, 'reboot\nreceipt\nrecovery\nreimage\nresume\nweb_IN_0\nweb_IN_1\n--slot=staging\n')
  })
})
