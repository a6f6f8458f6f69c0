import { pino, type Logger } from 'pino'
import { LogDestination } from './log-destination.ts'

export type { Logger } from 'pino'

/**
 * A logger of one process: JSON lines on standard error, named, ISO times.
 * The level comes from `VIPSWAP_LOG` (default `info`; `silent` turns it off). It never throws.
 */
export function createLogger(name: string): Logger {
  return pino(
    {
      name,
      level: process.env['VIPSWAP_LOG'] ?? 'info',
      timestamp: pino.stdTimeFunctions.isoTime,
      base: { name, pid: process.pid },
    },
    new LogDestination(name),
  )
}

/** A logger that says nothing, for tests and for parts used as a library. */
export function silentLogger(): Logger {
  return pino({ level: 'silent' })
}
