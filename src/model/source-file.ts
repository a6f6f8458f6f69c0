import { LineCounter, isAlias, isMap, isScalar, isSeq, parseDocument, type Document, type Node } from 'yaml'
import { createFault, type Fault, type Place } from './fault.ts'
import { indexYaml, type YamlIndex } from './yaml-index.ts'

/** More than any definition needs; guards against a file that is not one. */
const MAX_BYTES = 1024 * 1024
/** Of one kind of fault, as many are told as a person reads. */
const MAX_REPEATED = 100

/** A parsed YAML or JSON file that knows where each of its nodes stands. */
export interface SourceFile {
  readonly file: string
  readonly root: Node | null
  /** What an alias stands for; the node itself otherwise. null for an alias of nothing. */
  resolve(node: Node | null): Node | null
  /** Place of a node (or of offset 0) under a path. */
  placeOf(node: unknown, path: readonly string[]): Place
  /** Place of the value at `path`, or of the closest thing above it that is there. */
  place(path: readonly string[]): Place
  /** Place of the key that `path` ends in. */
  keyPlace(path: readonly string[]): Place
  /** The value at `path` as it was written: `1.10` stays `1.10`. undefined where there is no single value. */
  textAt(path: readonly string[]): string | undefined
}

/** Parses `text`, JSON or YAML 1.2. The faults are those of the syntax alone, duplicate keys included. */
export function parseSource(file: string, text: string): { source: SourceFile; faults: readonly Fault[] } {
  const lines = new LineCounter()
  const tooLong = text.length > MAX_BYTES
  const document = parseDocument(tooLong ? '' : text, {
    lineCounter: lines,
    prettyErrors: false,
    // Asked of the index.
    uniqueKeys: false,
  })
  const index = indexYaml(document)
  const source = createSourceFile(file, document, { lines, index })
  const at = (offset: number) => placeAt(file, lines, offset, [])
  if (tooLong) return { source, faults: [createFault(at(0), 'found more than 1 MiB', 'write a shorter file')] }
  const faults = [...document.errors, ...document.warnings].map(({ code, message, pos }) => {
    if (code === 'MULTIPLE_DOCS')
      return createFault(at(pos[0]), 'found a second document', 'write one document per file')
    return createFault(at(pos[0]), `cannot be read: ${message.replaceAll(/\s+/g, ' ')}`, 'correct the YAML here')
  })
  for (const key of index.repeated.slice(0, MAX_REPEATED)) {
    const start = startOf(key)
    const written = text.slice(start, text.indexOf('\n', start) >>> 0).trim()
    faults.push(createFault(at(start), `found "${written}" a second time`, 'write each key once'))
  }
  if (faults.length === 0 && file.endsWith('.json')) faults.push(...jsonFaults(text, at))
  return { source, faults }
}

/** YAML allows more than JSON; a .json file must be JSON to other readers too. */
function jsonFaults(text: string, at: (offset: number) => Place): Fault[] {
  try {
    JSON.parse(text)
    return []
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    const offset = Number(/position (\d+)/.exec(message)?.[1] ?? 0)
    return [createFault(at(offset), `cannot be read: ${message}`, 'write JSON here, or name the file .yaml')]
  }
}

function placeAt(file: string, lines: LineCounter, offset: number, path: readonly string[]): Place {
  const { line, col } = lines.linePos(offset)
  return { file, line: Math.max(1, line), column: Math.max(1, col), path }
}

function createSourceFile(
  file: string,
  document: Document.Parsed,
  { lines, index }: { lines: LineCounter; index: YamlIndex },
): SourceFile {
  const root = document.contents
  const resolve = (node: Node | null) => (isAlias(node) ? index.target(node) : node)
  const placeOf = (node: unknown, path: readonly string[]) => placeAt(file, lines, startOf(node), path)

  function walk(path: readonly string[]): { key: unknown; value: Node | null; whole: boolean } {
    let key: unknown = root
    let value: Node | null = root
    for (const name of path) {
      const inside: Node | null = resolve(value)
      const pair = isMap(inside) ? index.pair(inside, name) : undefined
      const item = isSeq(inside) ? inside.items[Number(name)] : pair?.value
      if (pair === undefined && item === undefined) return { key, value: null, whole: false }
      key = pair?.key ?? item
      // What a parsed collection holds are nodes; the library's types say unknown.
      value = (item ?? null) as Node | null
    }
    return { key, value, whole: true }
  }

  return {
    file,
    root,
    resolve,
    placeOf,
    place(path) {
      const { key, value, whole } = walk(path)
      // A mapping begins at its first key: its own key is the place a person looks for.
      return placeOf(whole && !isMap(value) ? (value ?? key) : key, path)
    },
    keyPlace: path => placeOf(walk(path).key, path),
    textAt(path) {
      const value = resolve(walk(path).value)
      if (!isScalar(value)) return undefined
      return typeof value.value === 'number' && value.source !== undefined ? value.source : String(value.value)
    },
  }
}

function startOf(node: unknown): number {
  if (typeof node !== 'object' || node === null || !('range' in node) || !Array.isArray(node.range)) return 0
  return Number(node.range[0])
}
