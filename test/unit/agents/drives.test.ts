import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { NodeAgent } from '../../../agents/agent.ts'
import { folderSize } from '../../../agents/folder-size.ts'
import { InstanceFolders } from '../../../agents/folders.ts'
import type { AssignedInstance } from '../../../src/contracts/assignment.ts'
import { createSystemClock } from '../../../src/core/clock.ts'
import { silentLogger } from '../../../src/core/logger.ts'
import { projectAssignments } from '../../../src/fabric/project-assignments.ts'
import { makeRelease, role } from '../../simulation/releases.ts'
import { tempDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { Lab } from '../fabric/lab.ts'

// "How to update a cloud service", the table of drives: C is local storage, D the system folder, E the role root.

const SHOP = { service: 'shop', slot: 'production' } as const
const FLAGS = { force: false, restartUnchanged: false, overlap: false } as const
const DATA = { name: 'data', sizeBytes: 1000, cleanOnRecycle: false }
const SCRATCH = { name: 'scratch', sizeBytes: 1000, cleanOnRecycle: true }

function deployed(): Lab {
  const web = role('web', { instances: 2, localStorage: [DATA, SCRATCH] })
  const lab = new Lab(['1.0.0', '2.0.0'].map(version => makeRelease('shop', version, [web])))
  lab.accept({ kind: 'create', ...SHOP, package: packageOf(lab, '1.0.0'), replace: false })
  lab.settle()
  return lab
}

function packageOf(lab: Lab, version: string): string {
  return Object.values(lab.state.releases).find(({ definition }) => definition.version === version)?.digest ?? ''
}

/** What the agents are told of web_IN_0, and on which node. */
function told(lab: Lab): { node: string; assigned: AssignedInstance } {
  for (const { node, instances } of Object.values(projectAssignments(lab.state))) {
    const assigned = instances.find(({ instance }) => instance === 'web_IN_0')
    if (assigned !== undefined) return { node, assigned }
  }
  throw new Error('web_IN_0 is nowhere')
}

const CELLS: { event: string; happens: (lab: Lab) => void; kept: string }[] = [
  { event: 'the process starts again', happens: () => {}, kept: 'CDE' },
  { event: 'the node reboots', happens: lab => lab.restart(), kept: 'CDE' },
  { event: 'reboot', happens: lab => lab.accept({ kind: 'reboot', ...SHOP, instance: 'web_IN_0' }), kept: 'CD' },
  { event: 'reimage', happens: lab => lab.accept({ kind: 'reimage', ...SHOP, instance: 'web_IN_0' }), kept: 'C' },
  {
    event: 'in-place upgrade',
    happens: lab => lab.accept({ kind: 'upgrade', ...SHOP, package: packageOf(lab, '2.0.0'), mode: 'auto', ...FLAGS }),
    kept: 'CD',
  },
  { event: 'moving to another node', happens: lab => lab.accept({ kind: 'drainNode', node: 'n1' }), kept: '' },
]

/** One agent's work for one start: lays out the files, empties what is to be empty. */
async function start(
  root: string,
  { node, assigned }: ReturnType<typeof told>,
  files: string,
): Promise<InstanceFolders> {
  const folders = new InstanceFolders(join(root, node, 'web_IN_0'))
  await folders.prepare(assigned, files)
  await folders.recycle(assigned)
  return folders
}

/** A file in each drive of an incarnation. */
function marks(folders: InstanceFolders, incarnation: number): Record<'C' | 'D' | 'E', string[]> {
  return {
    C: [join(folders.storage('data'), 'mark')],
    D: [join(folders.home, 'mark'), join(folders.temporary, 'mark')],
    E: [join(folders.files(incarnation), 'mark')],
  }
}

function packageFiles(t: Test): string {
  const files = join(tempDir(t), 'files')
  mkdirSync(files)
  writeFileSync(join(files, 'server.js'), '// serves')
  return files
}

for (const { event, happens, kept } of CELLS) {
  t.test(`${event} keeps ${kept === '' ? 'nothing' : kept}`, async t => {
    const [root, files] = [tempDir(t), packageFiles(t)]
    const lab = deployed()
    const before = told(lab)
    const folders = await start(root, before, files)
    for (const path of Object.values(marks(folders, before.assigned.incarnation)).flat()) writeFileSync(path, '')
    writeFileSync(join(folders.storage('scratch'), 'mark'), '')
    happens(lab)
    lab.settle()
    const after = told(lab)
    const now = await start(root, after, files)
    const found = marks(now, after.assigned.incarnation)
    for (const drive of ['C', 'D', 'E'] as const) {
      for (const path of found[drive]) t.equal(existsSync(path), kept.includes(drive), `${drive}: ${path}`)
    }
    t.notOk(existsSync(join(now.storage('scratch'), 'mark')), 'cleanOnRecycle: at every start of a process')
    t.equal(readFileSync(join(now.files(after.assigned.incarnation), 'server.js'), 'utf8'), '// serves')
  })
}

t.test('a move empties what an earlier stay has left on a node', async t => {
  const [root, files] = [tempDir(t), packageFiles(t)]
  const lab = deployed()
  const left = new InstanceFolders(join(root, 'n2', 'web_IN_0'))
  mkdirSync(left.storage('data'), { recursive: true })
  writeFileSync(join(left.storage('data'), 'old'), '')
  lab.accept({ kind: 'drainNode', node: 'n1' })
  lab.settle()
  const folders = await start(root, told(lab), files)
  t.equal(folders.root, left.root)
  t.notOk(existsSync(join(folders.storage('data'), 'old')))
})

t.test(
  'a change of the role root’s place reaches the process by RoleRoot alone: each incarnation has its own',
  async t => {
    const [root, files] = [tempDir(t), packageFiles(t)]
    const lab = deployed()
    const first = await start(root, told(lab), files)
    lab.accept({ kind: 'reboot', ...SHOP, instance: 'web_IN_0' })
    lab.settle()
    const { assigned } = told(lab)
    await start(root, told(lab), files)
    t.not(first.files(1), first.files(assigned.incarnation))
    await first.removeOld(assigned.incarnation, '')
    t.notOk(existsSync(first.files(1)))
  },
)

t.test('a folder’s size is that of its files, below it too; links and what is not there count nothing', async t => {
  const root = tempDir(t)
  mkdirSync(join(root, 'a/b'), { recursive: true })
  writeFileSync(join(root, 'a/b/c'), 'x'.repeat(600))
  writeFileSync(join(root, 'd'), 'x'.repeat(50))
  t.equal(await folderSize(root), 650)
  t.equal(await folderSize(join(root, 'nowhere')), 0)
})

t.test('local storage above its size is told once, and when it is back', async t => {
  const lab = deployed()
  const tell = (bytes: number): void => {
    lab.seen = ({ index }) => (index === 0 ? { storage: { data: bytes } } : {})
    lab.report()
    lab.report()
  }
  tell(1000)
  tell(1001)
  tell(2000)
  lab.restart()
  tell(2000)
  tell(10)
  t.match(
    lab.events.filter(({ kind }) => kind.startsWith('storage')),
    [
      { kind: 'storage-exceeded', instance: 'web_IN_0', message: /data holds 1001 bytes, its size is 1000/ },
      { kind: 'storage-within', instance: 'web_IN_0' },
    ],
  )
  t.equal(lab.events.filter(({ kind }) => kind.startsWith('storage')).length, 2)
})

t.test('an agent measures the local storage of its instances and reports what has changed', async t => {
  const directory = tempDir(t)
  let changes = 0
  const agent = new NodeAgent({
    name: 'n1',
    directory,
    host: '127.0.0.1',
    clock: createSystemClock(),
    log: silentLogger(),
    source: { fetch: async () => {}, signatures: async digest => ({ digest, name: '', version: '', signatures: [] }) },
    digestOf: async () => '',
    environment: {},
    measureMs: 5,
    onChange: () => {
      changes += 1
    },
  })
  await agent.start({ stopping: false })
  const lab = deployed()
  lab.accept({ kind: 'status', ...SHOP, status: 'Suspended' })
  lab.settle()
  const assignment = projectAssignments(lab.state)['n1']
  t.equal(agent.apply(assignment), null)
  const key = assignment?.instances[0]?.key ?? ''
  const sizes = () => agent.observed().instances.find(each => each.key === key)?.storage
  await until('it has been measured', () => sizes() !== undefined)
  t.strictSame(sizes(), { data: 0, scratch: 0 })
  const data = join(directory, 'instances', key, 'storage/data')
  mkdirSync(data, { recursive: true })
  writeFileSync(join(data, 'file'), 'x'.repeat(1234))
  const before = changes
  await until('the new size is there', () => sizes()?.['data'] === 1234)
  t.ok(changes > before)
})
