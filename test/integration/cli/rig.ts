import type { Test } from 'tap'
import { startAdmin } from '../../../src/admin/server.ts'
import { runCli } from '../../../src/cli/program.ts'
import { silentLogger } from '../../../src/core/logger.ts'
import { FakeController } from '../admin/fake-controller.ts'
import { FakeMembers } from '../admin/fake-members.ts'
import { fakeTerminal, type FakeTerminal } from './fake-terminal.ts'

/** A controller in memory with one service, and the command line in front of it. */
export async function fabric(t: Test) {
  const api = new FakeController()
  api.ending = 'Succeeded'
  api.addService('guestbook', { production: '1.0.0', staging: '1.5.0' })
  const admin = await startAdmin({ api, members: new FakeMembers(), port: 0, log: silentLogger() })
  t.teardown(() => admin.close())
  const begin = (argv: readonly string[], how: Parameters<typeof fakeTerminal>[0] = {}) => {
    const terminal = fakeTerminal({ ...how, env: { VIPSWAP_ADMIN: admin.url, ...how.env } })
    return { terminal, ended: runCli(argv, terminal) }
  }
  const run = async (...argv: string[]): Promise<FakeTerminal & { code: number }> => {
    const { terminal, ended } = begin(argv)
    return { ...terminal, code: await ended, stdout: terminal.stdout, stderr: terminal.stderr }
  }
  return { api, begin, run, url: admin.url }
}
