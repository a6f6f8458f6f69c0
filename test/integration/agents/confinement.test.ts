import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { findConfinement } from '../../../agents/confinement.ts'
import type { RunSpec } from '../../../src/contracts/assignment.ts'
import { until } from '../../support/until.ts'
import { PROCESS_PROBE, Rig, isRunning } from './rig.ts'

const ROOT = process.getuid?.() === 0
const { setpriv } = findConfinement(process.env['PATH'])
const KEY = 'dep/web_IN_0'
const worker = (command: RunSpec['command'], spec: Partial<RunSpec> = {}): Partial<RunSpec> => ({
  command,
  endpoints: [],
  probe: PROCESS_PROBE,
  ...spec,
})

/** Says what it was given, then waits. */
const FACTS = `
{
  ls /proc/self/fd | tr '\\n' ' '; echo
  umask
  ulimit -c
  ulimit -n
  grep NoNewPrivs /proc/self/status
  id -u
  env | cut -d= -f1 | sort | tr '\\n' ' '; echo
} >"$TMPDIR/facts.tmp" && mv "$TMPDIR/facts.tmp" "$TMPDIR/facts"
exec sleep 600
`

async function facts(rig: Rig): Promise<string[]> {
  const file = join(rig.folder(), 'system', 'tmp', 'facts')
  await until('the role has said what it was given', () => existsSync(file))
  return readFileSync(file, 'utf8').trimEnd().split('\n')
}

t.test('a role process inherits no descriptor, no core, no new privilege, and nothing others may read', async t => {
  const rig = await Rig.create(t, { 'facts.sh': FACTS })
  rig.startAgent({ env: { AGENT_SECRET: 'x' } })
  await rig.assign(rig.instance({}, worker(['sh', 'facts.sh'], { limits: { openFiles: 300 } })))
  const [fds, umask, core, files, privileges, , names] = await facts(rig)
  // 3 is the folder that `ls` itself reads.
  t.equal(fds?.trim(), '0 1 2 3')
  t.equal(umask, '0077')
  t.equal(core, '0')
  t.equal(files, '300')
  t.match(privileges, setpriv === null ? /0$/ : /1$/)
  t.notMatch(names, /AGENT_SECRET|NODE_OPTIONS/)
  t.equal(statSync(rig.folder()).mode & 0o777, 0o700)
})

/** Leaves its group and outlives its parent; `exec` keeps the pid that it says. */
const LEAVER = `
setsid sh -c 'trap "" TERM; echo $$ >"$TMPDIR/stray.tmp"; mv "$TMPDIR/stray.tmp" "$TMPDIR/stray"; while :; do sleep 1; done' &
exec sleep 600
`

async function strayOf(rig: Rig): Promise<number> {
  const file = join(rig.folder(), 'system', 'tmp', 'stray')
  await until('it has left its group', () => existsSync(file))
  return Number(readFileSync(file, 'utf8'))
}

t.test('what a role hides in a session of its own ends with it, and with an agent that had died', async t => {
  const rig = await Rig.create(t, { 'leaver.sh': LEAVER })
  const agent = rig.startAgent()
  await rig.assign(rig.instance({}, worker(['sh', 'leaver.sh'])))
  const stray = await strayOf(rig)
  t.ok(isRunning(stray))
  await rig.assign(rig.instance({ desired: 'stop' }, worker(['sh', 'leaver.sh'])))
  await rig.controller.untilInstance(KEY, 'stopped', ({ state }) => state === 'stopped')
  t.notOk(isRunning(stray), 'stopped means: nothing of it runs')

  await rig.assign(rig.instance({ incarnation: 2, clean: 'system' }, worker(['sh', 'leaver.sh'])))
  const { pid } = await rig.controller.untilInstance(
    KEY,
    'ready',
    ({ state, incarnation }) => state === 'ready' && incarnation === 2,
  )
  const second = await strayOf(rig)
  await rig.kill(agent, 'SIGKILL')
  // The whole group goes while nobody looks: only the session of its own is left.
  process.kill(-(pid ?? 0), 'SIGKILL')
  await until('the group is gone', () => pid !== null && !isRunning(pid))
  t.ok(isRunning(second))
  rig.startAgent()
  await until('the next agent has ended it', () => !isRunning(second))
})

t.test('as a user of its own a role has its folders and nobody else has, nor it theirs', async t => {
  // Others see the refusal below.
  if (!ROOT || setpriv === null) return
  const rig = await Rig.create(t, { 'facts.sh': FACTS })
  chmodSync(dirname(rig.data), 0o711)
  mkdirSync(join(rig.data, 'store'), { recursive: true })
  writeFileSync(join(rig.data, 'store', 'journal'), 'x', { mode: 0o644 })
  rig.startAgent()
  const script = `cat '${rig.data}/store/journal' && exit 9; ls '${rig.nodeDirectory}' && exit 8; echo kept >"$LOCAL_STORAGE_DATA/file" || exit 7; test -r "$HOME/.vipswap/peers.json" || exit 6; echo hello; . ./facts.sh`
  const spec = worker(['sh', '-c', script], {
    user: 'nobody',
    localStorage: [{ name: 'data', sizeBytes: 1, cleanOnRecycle: false }],
  })
  await rig.assign(
    rig.instance({}, spec),
    rig.instance({ index: 1, key: 'dep/web_IN_1', instance: 'web_IN_1' }, worker(['sleep', '600'])),
  )
  const [, , , , privileges, uid] = await facts(rig)
  const nobody = statSync(join(rig.folder(), 'storage', 'data', 'file')).uid
  t.equal(Number(uid), nobody)
  t.not(nobody, 0)
  t.match(privileges, /1$/)
  t.match(rig.log(), /hello/)
  t.equal(statSync(join(rig.folder(), 'role', '1')).mode & 0o777, 0o700)
  t.equal(statSync(rig.data).mode & 0o777, 0o711)
  t.equal(statSync(join(rig.data, 'store')).mode & 0o077, 0)
  await rig.controller.untilInstance('dep/web_IN_1', 'ready', ({ state }) => state === 'ready')
  t.equal(statSync(rig.folder('dep/web_IN_1')).mode & 0o077, 0, 'the other instance is closed to it')
  // Other settings are told to its files, too.
  await rig.assign(rig.instance({ peers: { web: 5 } }, spec))
  const told = join(rig.folder(), 'system', 'home', '.vipswap', 'peers.json')
  await until('it is told', () => readFileSync(told, 'utf8').includes('web_IN_4'))
  t.equal(statSync(told).uid, nobody)
})

/** Says as whom each process is that it is loaded into. */
const PRELOADED = `
#include <stdio.h>
#include <unistd.h>
__attribute__((constructor)) static void loaded(void) { printf("loaded as %d\\n", (int)geteuid()); fflush(stdout); }
`

t.test('a variable that a package names reaches the role as its user, and nothing that runs as the agent', async t => {
  const rig = await Rig.create(t, { 'role.sh': 'echo "has $files $WORDS"; exec sleep 600' })
  const user = ROOT && setpriv !== null ? { user: 'nobody' } : {}
  chmodSync(dirname(rig.data), 0o711)
  const library = join(dirname(rig.data), 'preloaded.so')
  const source = join(dirname(rig.data), 'preloaded.c')
  writeFileSync(source, PRELOADED)
  const hasCompiler = spawnSync('cc', ['-shared', '-fPIC', '-o', library, source]).status === 0
  const preload = hasCompiler && process.platform === 'linux' ? { LD_PRELOAD: library } : {}
  if (hasCompiler) chmodSync(library, 0o755)
  rig.startAgent()
  const env = {
    ...preload,
    files: 'a',
    WORDS: `it's "b" $c\n\\d`,
    PPID: 'x',
    PATH: `/nowhere:${process.env['PATH'] ?? ''}`,
  }
  await rig.assign(rig.instance({}, worker(['sh', 'role.sh'], { ...user, env })))
  await until('it has said what it has', () => rig.log().includes('has '))
  t.match(rig.log(), `has a it's "b" $c\n\\d`)
  const loaded = [...rig.log().matchAll(/^loaded as (\d+)$/gm)].map(found => Number(found[1]))
  t.equal(loaded.length > 0, 'LD_PRELOAD' in preload)
  if ('user' in user) t.notOk(loaded.includes(0), 'as root it is loaded nowhere')
})

t.test('a user that cannot be had is said, and nothing runs as another', async t => {
  const rig = await Rig.create(t, { 'facts.sh': FACTS })
  rig.startAgent()
  await rig.assign(rig.instance({}, worker(['sh', 'facts.sh'], { user: 'no-such-user' })))
  const seen = await rig.controller.untilInstance(KEY, 'refused', ({ detail }) => detail.includes('no-such-user'))
  t.match(seen.detail, /this machine has no user "no-such-user"/)
  t.equal(seen.pid, null)
  if (ROOT) {
    // The test's folder is closed to others, and the data folder lies in it.
    await rig.assign(rig.instance({ incarnation: 2 }, worker(['sh', 'facts.sh'], { user: 'nobody' })))
    const closed = await rig.controller.untilInstance(KEY, 'refused', ({ detail }) => detail.includes('is closed'))
    t.match(closed.detail, /to run as nobody, to whom .* is closed: put the data folder/)
  } else {
    await rig.assign(rig.instance({ incarnation: 2 }, worker(['sh', 'facts.sh'], { user: 'root' })))
    const refused = await rig.controller.untilInstance(KEY, 'refused', ({ detail }) => detail.includes('only root'))
    t.equal(refused.pid, null)
  }
})

const CGROUP = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified'].find(
  path => existsSync(join(path, 'cgroup.procs')) && existsSync(join(path, 'cgroup.controllers')),
)

t.test('a folder that is no cgroup is refused', async t => {
  const rig = await Rig.create(t)
  const agent = rig.startAgent({ flags: ['--cgroup', rig.run] })
  await until('it has ended', () => agent.exitCode !== null)
  t.equal(agent.exitCode, 2)
})

t.test('in a cgroup even what cleared its environment ends with the role', async t => {
  if (!ROOT || CGROUP === undefined) return
  const folder = join(CGROUP ?? '', `vs-test-${process.pid}`)
  mkdirSync(folder)
  t.teardown(() => rmdirSync(folder))
  const hidden = LEAVER.replace("setsid sh -c '", 'setsid env -i TMPDIR="$TMPDIR" PATH="$PATH" sh -c \'')
  const rig = await Rig.create(t, { 'leaver.sh': hidden })
  const agent = rig.startAgent({ flags: ['--cgroup', folder] })
  await rig.assign(rig.instance({}, worker(['sh', 'leaver.sh'])))
  const stray = await strayOf(rig)
  t.match(readFileSync(`/proc/${stray}/cgroup`, 'utf8'), `vs-test-${process.pid}/vipswap-n1/`)
  t.ok(rig.controller.hellos.at(-1)?.node.confines?.includes('groups'))
  await rig.assign()
  await until('it is gone, folders and all', () => !isRunning(stray) && !existsSync(rig.folder()))
  writeFileSync(join(rig.run, 'stop'), '')
  await until('the agent has left', () => agent.exitCode !== null)
  t.notOk(existsSync(join(folder, 'vipswap-n1')), 'its groups go with it')
})
