import { ServiceView } from '../../contracts/api/service.ts'
import { command, listOf, reading } from './call.ts'
import { SERVICE } from './examples.ts'

export const LIST_SERVICES = reading({
  id: 'listServices',
  tag: 'services',
  summary: 'All services, with their slots, addresses and running operations.',
  schema: listOf('services', ServiceView),
  example: { services: [SERVICE] },
})

export const GET_SERVICE = reading({
  id: 'getService',
  tag: 'services',
  summary: 'One service.',
  description:
    'With `?wait=SECONDS` it answers once something else was decided than the caller knows (`If-None-Match`; without it, ' +
    'than there is), or when the time is up.',
  schema: ServiceView,
  problems: ['service_not_found'],
  conditional: 'tagged',
  example: SERVICE,
})

export const DELETE_SERVICE = command({
  id: 'deleteService',
  tag: 'services',
  summary: 'Delete a service, whose slots are empty, with its addresses.',
  problems: ['service_not_found', 'slot_occupied', 'operation_in_progress'],
})

export const SWAP = command({
  id: 'swap',
  tag: 'services',
  summary: 'Exchange production and staging, at once or in two phases.',
  description:
    'Without a body: a plain swap. `expect` names the deployments the caller believes to be in the slots; anything else ' +
    'is refused with `expectation_failed`.',
  problems: [
    'service_not_found',
    'slot_empty',
    'operation_in_progress',
    'upgrade_in_progress',
    'endpoint_mismatch',
    'expectation_failed',
    'not_running',
    'not_ready',
    'nothing_to_do',
    'change_not_allowed',
    'certificate_conflict',
  ],
  example: { expect: { production: 'dep-1', staging: 'dep-2' } },
})
