import { LineCounter, isPair, isScalar, parseDocument, visit } from 'yaml'
import { errorMessage } from '../core/errors.ts'

/** Below these keys values are text, as it was written: `1.10` stays `1.10`, and a long number keeps its digits. */
const TEXTS: ReadonlySet<unknown> = new Set(['settings', 'slotSettings'])

/** What a configuration in YAML (or JSON) holds. Throws what is wrong with it, and cites nothing: secrets are in it. */
export function parseConfigurationYaml(text: string): unknown {
  const lineCounter = new LineCounter()
  const document = parseDocument(text, { lineCounter, prettyErrors: false })
  const [fault] = [...document.errors, ...document.warnings]
  if (fault !== undefined) {
    const { line, col } = lineCounter.linePos(fault.pos[0])
    throw new Error(`${uncited(fault.message)} at line ${line}, column ${col}`)
  }
  visit(document, {
    Scalar(key, node, ancestors) {
      const isText = ancestors.some(each => isPair(each) && isScalar(each.key) && TEXTS.has(each.key.value))
      const isPlain = typeof node.value === 'number' || typeof node.value === 'boolean'
      if (key === 'value' && isText && isPlain && node.source !== undefined) node.value = node.source
    },
  })
  try {
    return document.toJS()
  } catch (error) {
    throw new Error(uncited(errorMessage(error)), { cause: error })
  }
}

/** The parser's sentences have what they cite at their end. */
function uncited(message: string): string {
  return message.replace(/\s*(: |\\|%)[\s\S]*$/, '')
}
