import { own } from '../core/own.ts'
import { clonePlain, samePlain } from '../core/plain.ts'
import type { InstanceRecord, RoleRecord, Table } from './state.ts'

/** One table under change: reads see what was written, the base is never touched. */
export class TableDraft<T> {
  readonly #base: Table<T>
  readonly #overlay = new Map<string, T | undefined>()
  readonly #copy: (record: T) => T

  constructor(base: Table<T>, copy: (record: T) => T = clonePlain) {
    this.#base = base
    this.#copy = copy
  }

  /** Has anything been written, or copied to be? */
  get touched(): boolean {
    return this.#overlay.size > 0
  }

  get(key: string): Readonly<T> | undefined {
    return this.#overlay.has(key) ? this.#overlay.get(key) : own(this.#base, key)
  }

  /** A copy of the record that may be changed in place; undefined where there is none. */
  edit(key: string): T | undefined {
    if (this.#overlay.has(key)) return this.#overlay.get(key)
    const record = own(this.#base, key)
    if (record === undefined) return undefined
    const copy = this.#copy(record)
    this.#overlay.set(key, copy)
    return copy
  }

  /** Is it as it was? */
  protected isUntouched(key: string): boolean {
    return !this.#overlay.has(key)
  }

  put(key: string, record: T): T {
    this.#overlay.set(key, record)
    return record
  }

  delete(key: string): void {
    this.#overlay.set(key, undefined)
  }

  keys(): string[] {
    if (this.#overlay.size === 0) return Object.keys(this.#base)
    const keys = Object.keys(this.#base).filter(key => !this.#overlay.has(key) || this.#overlay.get(key) !== undefined)
    for (const [key, record] of this.#overlay)
      if (record !== undefined && !Object.hasOwn(this.#base, key)) keys.push(key)
    return keys
  }

  /** All records, to read. */
  *values(): Iterable<Readonly<T>> {
    for (const key of this.keys()) {
      const record = this.get(key)
      if (record !== undefined) yield record
    }
  }

  /** The table after the changes; the base itself where nothing differs. */
  finish(): Table<T> {
    let table: Record<string, T> | null = null
    for (const [key, record] of this.#overlay) {
      const before = own(this.#base, key)
      if (record === undefined ? before === undefined : samePlain(record, before)) continue
      table ??= { ...this.#base }
      if (record === undefined) delete table[key]
      else table[key] = record
    }
    return table ?? this.#base
  }
}

/**
 * The table of roles. A role may have thousands of instances of which few move at a time: those that are not asked for stay
 * the very objects of the base, so that copying and comparing a role costs what changes in it. Specs are replaced, never
 * changed in place.
 */
export class RolesDraft extends TableDraft<RoleRecord> {
  /** Roles of which only some instances are copied so far, and those that are. */
  readonly #partly = new Map<string, Set<InstanceRecord>>()

  constructor(base: Table<RoleRecord>) {
    super(base, role => ({ ...shell(role), instances: role.instances.map(clonePlain) }))
  }

  override edit(key: string): RoleRecord | undefined {
    const copied = this.#partly.get(key)
    const role = super.edit(key)
    if (copied === undefined || role === undefined) return role
    this.#partly.delete(key)
    role.instances = role.instances.map(instance => (copied.has(instance) ? instance : clonePlain(instance)))
    return role
  }

  override put(key: string, record: RoleRecord): RoleRecord {
    this.#partly.delete(key)
    return super.put(key, record)
  }

  /** A role whose own fields, and only these instances, may be changed in place. `positions`: in its list. */
  editSome(key: string, positions: readonly number[]): { role: RoleRecord; instances: InstanceRecord[] } | undefined {
    const seen = this.get(key)
    if (seen === undefined) return undefined
    const role = this.#partly.has(key) ? super.edit(key) : this.#begin(key, seen)
    if (role === undefined) return undefined
    const copied = this.#partly.get(key)
    if (copied !== undefined) {
      for (const position of positions) {
        const instance = role.instances[position]
        if (instance === undefined || copied.has(instance)) continue
        const copy = clonePlain(instance)
        copied.add(copy)
        role.instances[position] = copy
      }
    }
    return { role, instances: positions.flatMap(position => role.instances[position] ?? []) }
  }

  /** The first copy of a role in this draft is a partial one; one that is there is whole. */
  #begin(key: string, seen: Readonly<RoleRecord>): RoleRecord | undefined {
    if (!this.isUntouched(key)) return super.edit(key)
    const role = super.put(key, { ...shell(seen), instances: [...seen.instances] })
    this.#partly.set(key, new Set())
    return role
  }
}

function shell(role: Readonly<RoleRecord>): Omit<RoleRecord, 'instances'> {
  const { instances: _copiedApart, ...rest } = role
  return { ...rest, specs: { ...role.specs } }
}
