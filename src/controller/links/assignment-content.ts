import type { AssignedInstance, Assignment } from '../../contracts/assignment.ts'

/** An assignment, with what is the same text as before where nothing in it matters to its agent. */
export interface Assigned {
  readonly assignment: Assignment
  readonly content: string
}

/**
 * Tells assignments apart by what matters to an agent: all but the revision, and which operation works on what. By looking
 * at what differs: to write out all instances at every commit costs more than to decide on them.
 */
export class AssignmentContents {
  #last = new Map<string, Assigned>()
  #numbers = 0
  /** A projection gives all instances that run the same the same object. */
  readonly #texts = new WeakMap<object, string>()

  /** All assignments of one state, by node. */
  of(assignments: Readonly<Record<string, Assignment>>): ReadonlyMap<string, Assigned> {
    const next = new Map<string, Assigned>()
    for (const [node, assignment] of Object.entries(assignments)) {
      const last = this.#last.get(node)
      const isSame = last !== undefined && this.#isSame(last.assignment, assignment)
      next.set(node, { assignment, content: isSame ? last.content : `content-${++this.#numbers}` })
    }
    this.#last = next
    return next
  }

  #isSame({ instances: before, ...a }: Assignment, { instances: after, ...b }: Assignment): boolean {
    if (before.length !== after.length) return false
    if (JSON.stringify({ ...a, revision: null }) !== JSON.stringify({ ...b, revision: null })) return false
    return before.every((instance, position) => {
      const now = after[position]
      return now !== undefined && this.#isSameInstance(instance, now)
    })
  }

  /** All fields by name: a loop over keys would cost what writing them out does. */
  #isSameInstance(a: AssignedInstance, b: AssignedInstance): boolean {
    return (
      a.key === b.key &&
      a.incarnation === b.incarnation &&
      a.desired === b.desired &&
      a.clean === b.clean &&
      a.service === b.service &&
      a.deployment === b.deployment &&
      a.role === b.role &&
      a.instance === b.instance &&
      a.index === b.index &&
      a.upgradeDomain === b.upgradeDomain &&
      a.faultDomain === b.faultDomain &&
      this.#isSameObject(a.spec, b.spec) &&
      this.#isSameObject(a.peers, b.peers)
    )
  }

  #isSameObject(a: object | undefined, b: object | undefined): boolean {
    return a === b || (a !== undefined && b !== undefined && this.#textOf(a) === this.#textOf(b))
  }

  #textOf(value: object): string {
    const known = this.#texts.get(value)
    if (known !== undefined) return known
    const text = JSON.stringify(value)
    this.#texts.set(value, text)
    return text
  }
}
