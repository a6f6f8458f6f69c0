/**
 * What a table holds under a key that came from outside. Plain indexing would also find what every object inherits
 * (`constructor`, `toString`), and those are names a service or a role may have.
 */
export function own<T>(table: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined
}
