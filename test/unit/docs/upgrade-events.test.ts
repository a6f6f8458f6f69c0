import { readFileSync } from 'node:fs'
import t from 'tap'
import { makeRelease, role } from '../../simulation/releases.ts'
import { AT, deployed, upgradeTo } from '../fabric/upgrade-lab.ts'

t.test('the events in docs/upgrades.md are those that the rules give, in their order', async t => {
  const [, block = ''] = /<!-- events -->\n```text\n([^`]*)```/.exec(readFileSync('docs/upgrades.md', 'utf8')) ?? []
  const told = block
    .trimEnd()
    .split('\n')
    .map(line => /^ *(\d+) +([\d.]+) {2}(\S+) +(?:(web_IN_\d) {2})?(\S.*)$/.exec(line)?.slice(1) ?? [])
  const two = [role('web')]
  const releases = ['1.0.0', '2.0.0'].map(version => makeRelease('shop', version, two, { upgradeDomainCount: 2 }))
  const lab = deployed(releases)
  const before = lab.events.length
  lab.accept(upgradeTo('monitored', {}, releases[1]?.digest))
  while (lab.deployment(AT.slot).upgrade !== null) {
    lab.settle()
    lab.flow(10_000)
  }
  t.strictSame(
    told.map(([, , kind, instance, message]) => [kind, instance, message]),
    lab.events.slice(before).map(({ kind, instance, message }) => [kind, instance, message]),
  )
  const numbers = told.map(([number]) => Number(number))
  t.strictSame(
    numbers,
    numbers.map((_, index) => (numbers[0] ?? 0) + index),
  )
})
