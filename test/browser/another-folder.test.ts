import t, { type Test } from 'tap'
import { startAdmin, type Admin } from '../../src/admin/server.ts'
import { silentLogger } from '../../src/core/logger.ts'
import { FakeController } from '../integration/admin/fake-controller.ts'
import { noBrowser, openPage, startBrowser } from './support/browser.ts'
import { live } from './support/fabric.ts'

// A page left open while the controller behind its address is started over another data folder.

async function serve(t: Test, timeline: string, messages: readonly string[], port = 0): Promise<Admin> {
  const api = new FakeController()
  api.timeline = timeline
  api.addService('guestbook')
  for (const message of messages) api.emit('note', 'guestbook', message)
  const admin = await startAdmin({ api, port, log: silentLogger() })
  t.teardown(() => admin.close())
  return admin
}

t.test(
  'the timeline of another data folder takes the place of the old one, without a reload',
  { skip: noBrowser },
  async t => {
    const browser = await startBrowser(t)
    const first = await serve(t, 'one', ['old one', 'old two', 'old three'])
    const { page } = await openPage(browser, `${first.url}/#/timeline`)
    await page.locator('[data-seq]', { hasText: 'old three' }).waitFor()
    await page.evaluate('globalThis.sameDocument = true')
    await first.close()
    await page.getByText('The controller does not answer.').waitFor()
    await serve(t, 'two', ['new one', 'new two'], first.port)
    await page.locator('[data-seq]', { hasText: 'new two' }).waitFor()
    await live(page)
    t.strictSame(
      (await page.locator('[data-seq]').allTextContents()).filter(text => text.includes('old')),
      [],
      'nothing of the old one is left',
    )
    t.equal(await page.locator('[data-seq]').count(), 2)
    t.equal(await page.evaluate('globalThis.sameDocument'), true)
  },
)
