import { isScalar, visit, type Alias, type Document, type Node, type Pair, type Scalar, type YAMLMap } from 'yaml'

/**
 * What a document is asked for again and again, found in one pass: the library looks through a whole mapping for each of its
 * keys, and through the whole document for each alias, so that a file of a megabyte would stand still for minutes.
 */
export interface YamlIndex {
  /** Keys that their mapping has already, as YAML forbids. */
  readonly repeated: readonly Scalar[]
  /** What an alias stands for; null: nothing that comes before it. */
  target(alias: Alias): Node | null
  /** The first pair of a mapping with that key. */
  pair(map: YAMLMap, key: string): Pair<unknown, unknown> | undefined
}

export function indexYaml(document: Document.Parsed): YamlIndex {
  const repeated: Scalar[] = []
  const targets = new WeakMap<Alias, Node>()
  const pairs = new WeakMap<YAMLMap, Map<string, Pair<unknown, unknown>>>()
  const anchors = new Map<string, Node>()
  visit(document, {
    Alias(_key, alias) {
      const target = anchors.get(alias.source)
      if (target !== undefined) targets.set(alias, target)
    },
    Value(_key, node) {
      if (node.anchor !== undefined) anchors.set(node.anchor, node)
    },
  })
  visit(document, {
    Map(_key, map) {
      const known = new Set<unknown>()
      for (const { key } of map.items) {
        if (!isScalar(key)) continue
        if (known.has(key.value)) repeated.push(key)
        known.add(key.value)
      }
    },
  })
  return {
    repeated,
    target: alias => targets.get(alias) ?? null,
    pair(map, key) {
      let known = pairs.get(map)
      if (known === undefined) {
        known = new Map()
        for (const pair of map.items) {
          const text = keyText(pair.key)
          if (text !== undefined && !known.has(text)) known.set(text, pair)
        }
        pairs.set(map, known)
      }
      return known.get(key)
    },
  }
}

/** A mapping's key as text; complex keys have none. */
export function keyText(key: unknown): string | undefined {
  return isScalar(key) ? String(key.value) : undefined
}
