import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { until } from '../../support/until.ts'
import { Rig } from './rig.ts'

const KEY = 'dep/web_IN_0'
const SERVER = `
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
const read = name => JSON.parse(readFileSync(process.env.HOME + '/.vipswap/' + name + '.json', 'utf8'))
process.on('SIGHUP', () => console.log('told ' + JSON.stringify(read('settings'))))
console.log('began with ' + process.env.SETTING_COLOUR + ' ' + JSON.stringify(read('settings')))
createServer((request, response) => response.end('here')).listen(Number(process.env.PORT), process.env.HOST)
`

t.setTimeout(120_000)

await t.test('other settings are told by a file and the signal; the process stays', async t => {
  const rig = await Rig.create(t, { 'server.mjs': SERVER })
  const agent = rig.startAgent()
  const colour = (value: string) =>
    rig.instance({ peers: { web: 1 } }, { id: value, settings: { COLOUR: value }, settingsReload: 'SIGHUP' })
  await rig.assign(colour('red'))
  const first = await rig.controller.untilInstance(KEY, 'ready', ({ state }) => state === 'ready')
  t.equal(first.spec, 'red')
  t.match(rig.log(), 'began with red {"COLOUR":"red"}')

  await rig.assign(colour('blue'))
  const told = await rig.controller.untilInstance(KEY, 'told', ({ spec }) => spec === 'blue')
  await until('it has read them', () => rig.log().includes('told {"COLOUR":"blue"}'))
  t.equal(told.pid, first.pid)
  t.equal(told.attempt, 1)
  t.equal(told.state, 'ready')

  await rig.kill(agent, 'SIGKILL')
  rig.startAgent()
  await until('the next agent is there', () => rig.controller.hellos.length > 1)
  await rig.assign(colour('green'))
  const later = await rig.controller.untilInstance(KEY, 'told by the next agent', ({ spec }) => spec === 'green')
  await until('it has read those, too', () => rig.log().includes('told {"COLOUR":"green"}'))
  t.equal(later.pid, first.pid)
})

await t.test('peers are told by their file alone where no signal is asked for', async t => {
  const rig = await Rig.create(t, { 'server.mjs': SERVER })
  rig.startAgent()
  await rig.assign(rig.instance({ peers: { web: 1 } }))
  const first = await rig.controller.untilInstance(KEY, 'ready', ({ state }) => state === 'ready')
  const peers = (): unknown =>
    JSON.parse(readFileSync(join(rig.folder(), 'system', 'home', '.vipswap', 'peers.json'), 'utf8'))
  t.same(peers(), { deployment: 'dep', instance: 'web_IN_0', roles: { web: ['web_IN_0'] } })
  await rig.assign(rig.instance({ peers: { web: 2, crunch: 1 } }))
  await until('the file has all', () => JSON.stringify(peers()).includes('crunch_IN_0'))
  t.same(peers(), {
    deployment: 'dep',
    instance: 'web_IN_0',
    roles: { web: ['web_IN_0', 'web_IN_1'], crunch: ['crunch_IN_0'] },
  })
  t.equal(rig.controller.instance(KEY)?.pid, first.pid)
  t.notMatch(rig.log(), /^told \{/m)
})
