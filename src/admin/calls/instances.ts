import { Type } from 'typebox'
import type { ErrorCode } from '../../core/errors.ts'
import { ExplainView } from '../../contracts/api/explain.ts'
import { OpenedInstance } from '../../contracts/api/open.ts'
import { command, reading, type Call } from './call.ts'
import { INSTANCE } from './examples.ts'

const SUMMARIES = {
  reboot: 'Stop and start the process of an instance, out of rotation.',
  reimage: 'Reboot an instance on fresh files.',
  drain: 'Take an instance out of rotation; its process runs on.',
  undrain: 'Take an instance back into rotation.',
} as const

const PROBLEMS = [
  'service_not_found',
  'deployment_not_found',
  'instance_not_found',
  'slot_empty',
  'operation_in_progress',
  'upgrade_in_progress',
  'not_running',
  'nothing_to_do',
  'change_not_allowed',
] as const satisfies ErrorCode[]

export function instanceCommand(kind: keyof typeof SUMMARIES): Call {
  return command({ id: kind, tag: 'instances', summary: SUMMARIES[kind], problems: PROBLEMS })
}

export const EXPLAIN = reading({
  id: 'explainInstance',
  tag: 'instances',
  summary: 'Why an instance is as it is.',
  schema: ExplainView,
  problems: ['service_not_found', 'deployment_not_found', 'instance_not_found'],
  example: {
    instance: INSTANCE,
    reasons: ['ReadyRole: HTTP 200', 'in rotation'],
    health: [],
    log: ['listening on 20001'],
  } satisfies ExplainView,
})

export const OPEN: Call = {
  id: 'openInstance',
  tag: 'instances',
  summary: 'Make an address of one instance for a browser, which sends no token for a page and what the page loads.',
  description:
    'Whoever has it reaches that instance, as it is now deployed, for an hour and until the controller restarts; nothing ' +
    'else. Asked without TLS at a loopback address it is a name of its own, `KEY.localhost`, else `…/proxy/~KEY/`, where ' +
    'pages are sandboxed. A browser that navigates to `…/proxy/{path}` with rights of its own is redirected to such an ' +
    'address.',
  answers: { 200: { description: 'The address.', schema: OpenedInstance } },
  problems: ['service_not_found', 'deployment_not_found', 'instance_not_found'],
  example: {
    url: '/v1/services/guestbook/slots/staging/instances/web_IN_0/proxy/~k3x7q2mbn5t4w6yzc2v7a5hsdf/',
    expiresAt: '2026-03-02T10:30:00.000Z',
  } satisfies OpenedInstance,
}

export const LOGS: Call = {
  id: 'readLog',
  tag: 'instances',
  summary: 'What an instance writes.',
  description: 'The last `tail` bytes (default 64 KiB), then with `follow=1` what comes.',
  answers: {
    200: { description: 'Text as it was written.', schema: Type.String(), type: 'text/plain; charset=utf-8' },
  },
  problems: ['service_not_found', 'deployment_not_found', 'instance_not_found', 'unreachable'],
  example: 'listening on 20001\n',
}

export const PROXY: Call = {
  id: 'askInstance',
  tag: 'instances',
  summary: 'Ask one chosen instance, whatever its slot, health and place in rotation.',
  description:
    "Any method, body and path; a WebSocket by the usual upgrade. The answer is the instance's own, within this prefix: " +
    '`Location` and the paths of cookies lead back here, and pages are sandboxed. A browser that navigates here is ' +
    'redirected below a key (see openInstance), so that what its page loads needs no token.',
  answers: {
    200: { description: "The instance's own answer, with its own status.", schema: Type.Unknown(), type: '*/*' },
  },
  problems: ['service_not_found', 'deployment_not_found', 'instance_not_found', 'unreachable'],
  bodyTypes: ['*/*'],
  example: 'anything',
}

export const PROXY_ROOT: Call = { ...PROXY, id: 'askInstanceRoot' }
