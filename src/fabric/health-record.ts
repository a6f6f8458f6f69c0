import type { HealthState } from '../model/states.ts'
import type { Anchor } from './anchor.ts'

/** What others say of the health of one deployment or instance. */
export interface HealthRecord {
  deployment: string
  instance: string | null
  reports: HealthReport[]
}

/** Latest report of one source on one property. */
export interface HealthReport {
  source: string
  property: string
  state: HealthState
  description: string
  /** null: for ever. */
  ttlMs: number | null
  /** When its time is up it is gone; else it stays, and counts as Error. */
  removeWhenExpired: boolean
  sequence: number
  at: number
  anchor: Anchor
}
