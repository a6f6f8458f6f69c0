import { HookProcesses } from '../../../src/controller/tasks/hook-processes.ts'
import { runHook } from '../../../src/controller/tasks/run-hook.ts'
import type { HookFacts } from '../../../src/contracts/task.ts'

// Stands for a controller that runs one hook, DIRECTORY SCRIPT, and is killed meanwhile.
const [, , directory = '', script = ''] = process.argv
const facts: HookFacts = {
  event: 'pre-swap',
  operation: 'op-1',
  kind: 'swap',
  service: 'shop',
  slot: 'production',
  deployment: 'd1',
  domain: null,
  fromVersion: '1.0.0',
  toVersion: '2.0.0',
  revision: '1.1',
}
const hook = { kind: 'command', command: [process.execPath, '-e', script], timeoutMs: 60_000, intervalMs: 1 } as const
const { began } = new HookProcesses(directory)
await runHook(hook, { facts, retry: false }, () => undefined, new AbortController().signal, began)
