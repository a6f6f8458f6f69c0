import { HealthView } from '../../contracts/api/health.ts'
import { reading } from './call.ts'
import { HEALTH } from './examples.ts'

export const GET_HEALTH = reading({
  id: 'getHealth',
  tag: 'health',
  summary: 'Health of a deployment by its policy, and why.',
  schema: HealthView,
  problems: ['service_not_found', 'deployment_not_found'],
  example: HEALTH,
})

export const REPORT_HEALTH = reading({
  id: 'reportHealth',
  tag: 'health',
  summary: 'Report how a deployment or an instance is; answers the health that follows.',
  description: 'A report replaces the last one of the same source and property.',
  schema: HealthView,
  problems: ['service_not_found', 'slot_empty', 'instance_not_found', 'stale_report', 'too_many_reports'],
  example: {
    source: 'smoke-test',
    property: 'checkout',
    state: 'Error',
    ttl: '5m',
    description: 'no order went through',
  },
})
