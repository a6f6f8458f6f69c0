import type { Page } from 'playwright-core'
import { startAdmin } from '../../../src/admin/server.ts'
import { silentLogger } from '../../../src/core/logger.ts'
import type { Teardown } from '../../system/support/system.ts'
import { LargeFabric } from './large-fabric.ts'

/** The admin HTTP, portal and all, over a controller in memory. */
export async function startFabric(t: Teardown, { instances = 16, token }: { instances?: number; token?: string } = {}) {
  const api = new LargeFabric(instances)
  const admin = await startAdmin({ api, port: 0, log: silentLogger(), ...(token === undefined ? {} : { token }) })
  t.teardown(async () => admin.close())
  return { api, url: admin.url }
}

/** Waits until the page hears of changes. */
export async function live(page: Page): Promise<void> {
  await page.locator('.connection[data-state="live"]').waitFor()
}
