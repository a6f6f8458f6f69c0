import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readConfigurationFile } from '../../../src/cli/configuration-file.ts'
import { tempDir } from '../../support/temp.ts'

const written = (value: string): string => `roles:\n  web:\n    instances: 3\n    settings:\n      password: ${value}\n`

t.test('whatever is wrong with a configuration, nothing of a value is cited', async t => {
  const path = join(tempDir(t), 'c.yaml')
  const warnings: unknown[] = []
  const onWarning = (warning: Error): unknown => warnings.push(warning)
  process.on('warning', onWarning)
  t.teardown(() => process.off('warning', onWarning))
  const values =
    String.raw`|hunter2 · >hunter2 · }hunter2 · !vault hunter2 · !<hunter2 · !hunter2!x y · *hunter2 · "hunter2 · [hunter2]
    · { hunter2: x } · "a" hunter2 · "\qhunter2" · &hunter2 &b x`.split(/\s+·\s+/)
  values.push('x\n%hunter2 x', 'x\n\thunter2')
  for (const value of values) {
    writeFileSync(path, written(value))
    const failure = await readConfigurationFile(path).then(
      () => null,
      (error: unknown) => error,
    )
    t.match(failure, { code: 'invalid_configuration' }, value)
    t.notMatch(failure instanceof Error ? failure.message : '', /unter2/, value)
  }
  await new Promise(resolve => setImmediate(resolve))
  t.strictSame(warnings, [])
})

t.test('settings are text as it was written', async t => {
  const path = join(tempDir(t), 'c.yaml')
  for (const value of ['12345678901234567890', '1.10', '0x1F', 'True', '007', '1e3', '"1.10"', 'hunter2']) {
    writeFileSync(path, written(value))
    const { roles } = await readConfigurationFile(path)
    t.strictSame(roles, { web: { instances: 3, settings: { password: value.replaceAll('"', '') } } })
  }
  writeFileSync(path, '{"roles":{"web":{"slotSettings":{"size":{"production":1.50,"staging":false}}}}}')
  const { roles } = await readConfigurationFile(path)
  t.strictSame(roles, { web: { slotSettings: { size: { production: '1.50', staging: 'false' } } } })
})
