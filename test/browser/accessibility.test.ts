import t from 'tap'
import { VipswapError } from '../../src/core/errors.ts'
import { rawTar } from '../support/archives.ts'
import { seriousFaults } from './support/accessibility.ts'
import { noBrowser, openPage, startBrowser } from './support/browser.ts'
import { live, startFabric } from './support/fabric.ts'
import { dropFile } from './support/probe.ts'

t.test('every page', { skip: noBrowser }, async t => {
  const browser = await startBrowser(t)

  for (const colorScheme of ['light', 'dark'] as const) {
    await t.test(`has no serious fault for axe-core, ${colorScheme}`, async t => {
      const { api, url } = await startFabric(t)
      api.ending = 'Succeeded'
      api.disturb()
      const { operationId } = await api.submit({ kind: 'swap', service: 'large' }, {})
      const { page } = await openPage(browser, url, { colorScheme, reducedMotion: 'reduce' })
      await live(page)
      const check = async (what: string): Promise<void> => {
        t.strictSame(await seriousFaults(page), [], what)
      }
      await check('services')
      for (const [hash, shown] of [
        ['services/large', '.tile'],
        ['services/large/production/web_IN_1', '.log pre'],
        ['operations', '.table'],
        [`operations/${operationId}`, '.receipt'],
        ['timeline', '.events'],
        ['nodes', '.table'],
      ] as const) {
        await page.goto(`${url}/#/${hash}`)
        await page.locator(shown).first().waitFor()
        await check(hash)
      }
      await page.goto(`${url}/#/services/large`)
      await page.locator('.tile').first().waitFor()
      await page.keyboard.press('s')
      await page.getByText('Nothing speaks against it').waitFor()
      await check('swap dialog')
      await page.keyboard.press('Escape')
      await page.keyboard.press('?')
      await page.getByRole('dialog').waitFor()
      await check('help')
      await page.keyboard.press('Escape')
      api.packageRefusal = new VipswapError('invalid_definition', 'service.yaml:7:11: …', {
        faults: [
          {
            file: 'service.yaml',
            line: 7,
            column: 11,
            path: 'roles.web',
            found: 'found 99999',
            expected: 'write less',
          },
        ],
      })
      await dropFile(page, '[data-slot="staging"]', 'broken.tar.gz', rawTar([]))
      await page.getByText('service.yaml:7:11').waitFor()
      await check('faults of a package')
    })
  }

  await t.test('does not scroll sideways at 390 pixels', async t => {
    const { url } = await startFabric(t)
    const { page } = await openPage(browser, url, { viewport: { width: 390, height: 844 } })
    for (const hash of [
      '',
      'services/large',
      'services/large/production/web_IN_1',
      'operations',
      'timeline',
      'nodes',
    ]) {
      await page.goto(`${url}/#/${hash}`)
      await page.locator('h1').waitFor()
      await live(page)
      t.ok(await page.evaluate<boolean>('document.documentElement.scrollWidth <= 390'), hash)
    }
  })
})
