import t from 'tap'
import { UPGRADE_MODES } from '../../src/model/states.ts'
import { sickUpgrade } from './scripts.ts'
import { simulate } from './simulate.ts'

t.test('to a version that is ready once and then sick no walk waits without a word, whatever its mode', async t => {
  for (const mode of UPGRADE_MODES) {
    for (let seed = 1; seed <= 7; seed += 2) {
      const { failure } = simulate(seed, { busyMs: 5000, script: sickUpgrade(mode) })
      t.equal(failure?.message, undefined, `${mode}, seed ${seed}`)
    }
  }
})
