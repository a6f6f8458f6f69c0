import type { JSX } from 'preact'
import type { Problem } from '../../../contracts/api/problem.ts'
import type { Fault } from '../../../model/fault.ts'
import { plural } from '../core/format.ts'
import { Callout } from '../ui/parts.tsx'

/** The faults a refused package has; none where the refusal is of another kind. */
export function faultsOf(problem: Problem | null): readonly Fault[] {
  const faults = problem?.['faults']
  // The contract of invalid_definition and invalid_configuration.
  return Array.isArray(faults) ? (faults as readonly Fault[]) : []
}

/** Every fault with its place, and what to write instead. */
export function Faults({ faults }: { faults: readonly Fault[] }): JSX.Element {
  return (
    <>
      <Callout tone="bad">{plural(faults.length, 'fault')} in this package. Nothing was changed.</Callout>
      <ol class="faults">
        {faults.map(({ file, line, column, path, found, expected }) => (
          <li key={`${file}:${line}:${column} ${path}`}>
            <p>
              <span class="mono place">
                {file}:{line}:{column}
              </span>{' '}
              {path === '' ? null : <code>{path}</code>}
            </p>
            <p>
              {found}; <strong>{expected}</strong>
            </p>
          </li>
        ))}
      </ol>
    </>
  )
}
