import { escape, page, prose } from './html.ts'
import { isObject, type Json, type JsonObject } from './json.ts'

/** The document as a page for people. */
export function apiPage(document: JsonObject): string {
  const { info, tags, paths } = document
  const operations = Object.entries(isObject(paths) ? paths : {}).flatMap(([path, item]) =>
    Object.entries(isObject(item) ? item : {}).flatMap(([method, operation]) =>
      isObject(operation) ? [{ path, method: method.toUpperCase(), operation }] : [],
    ),
  )
  const chapters = list(tags).map(tag => {
    const name = text(tag, 'name')
    const those = operations.filter(({ operation }) => strings(operation['tags']).includes(name))
    const entries = those.map(each => entryOf(each.method, each.path, each.operation))
    return `<h2 id="${escape(name)}">${prose(text(tag, 'description'))}</h2>\n${entries.join('\n')}`
  })
  const about = isObject(info) ? info : {}
  const nav = list(tags).map(tag => `<a href="#${escape(text(tag, 'name'))}">${escape(text(tag, 'name'))}</a>`)
  return page(
    text(about, 'title'),
    `<h1>${escape(text(about, 'title'))} ${escape(text(about, 'version'))}</h1>
<p>${prose(text(about, 'description'))}</p>
<p>The same for programs: <a href="/openapi.json">/openapi.json</a> (OpenAPI 3.1). What codes mean: <a href="/api/errors">/api/errors</a>.</p>
<nav aria-label="Chapters"><p>${nav.join(' · ')}</p></nav>
${chapters.join('\n')}
<h2 id="schemas">Shapes</h2>
${schemasOf(document)}`,
  )
}

function entryOf(method: string, path: string, operation: JsonObject): string {
  const id = text(operation, 'operationId')
  const parameters = list(operation['parameters']).map(
    each =>
      `<tr><td><code>${escape(text(each, 'name'))}</code></td><td>${escape(text(each, 'in'))}${each['required'] === true ? ', required' : ''}</td><td>${prose(text(each, 'description'))}</td></tr>`,
  )
  const role = text(operation, 'x-role')
  const body = isObject(operation['requestBody']) ? operation['requestBody'] : null
  return `<details id="${escape(id)}">
<summary><b>${escape(method)}</b> <code>${escape(path)}</code><span>${prose(text(operation, 'summary'))}</span></summary>
${operation['description'] === undefined ? '' : `<p>${prose(text(operation, 'description'))}</p>`}
<p>Role: ${escape(role)}.</p>
<table><thead><tr><th>parameter</th><th>where</th><th>what</th></tr></thead><tbody>${parameters.join('')}</tbody></table>
${body === null ? '' : `<p>Body${body['required'] === true ? '' : ' (may be left out)'}</p>\n${contentOf(body)}`}
${answersOf(operation)}
</details>`
}

function answersOf(operation: JsonObject): string {
  const { responses } = operation
  return Object.entries(isObject(responses) ? responses : {})
    .map(([status, answer]) => {
      if (!isObject(answer)) return ''
      const about = text(answer, 'description')
      const words = Number(status) < 400 ? prose(about) : codesOf(escape(about))
      return `<p><b>${escape(status)}</b> ${words}</p>${contentOf(answer)}`
    })
    .join('\n')
}

function codesOf(description: string): string {
  return description.replace(/`(\w+)`/g, '<a href="/api/errors#$1"><code>$1</code></a>')
}

function contentOf(holder: JsonObject): string {
  const { content } = holder
  return Object.entries(isObject(content) ? content : {})
    .map(([type, media]) => {
      if (!isObject(media) || type === 'application/problem+json') return ''
      const { schema, example } = media
      const shape = schema === undefined ? '' : `: ${shapeOf(schema)}`
      const shown = example === undefined ? '' : `<pre tabindex="0">${escape(pretty(example))}</pre>`
      return `<p><code>${escape(type)}</code>${shape}</p>${shown}`
    })
    .join('\n')
}

function schemasOf(document: JsonObject): string {
  const { components } = document
  const schemas = isObject(components) && isObject(components['schemas']) ? components['schemas'] : {}
  return Object.entries(schemas)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(
      ([name, schema]) =>
        `<details id="schema-${escape(name)}"><summary><code>${escape(name)}</code></summary>${fieldsOf(schema)}</details>`,
    )
    .join('\n')
}

function fieldsOf(schema: Json): string {
  if (!isObject(schema)) return ''
  const { properties, required } = schema
  if (!isObject(properties)) return `<p>${shapeOf(schema)}</p>`
  const rows = Object.entries(properties).map(([name, property]) => {
    const optional = strings(required).includes(name) ? '' : ' (may be absent)'
    const about = isObject(property) ? text(property, 'description') : ''
    return `<tr><td><code>${escape(name)}</code>${optional}</td><td>${shapeOf(property)}</td><td>${prose(about)}</td></tr>`
  })
  return `<table><thead><tr><th>field</th><th>is</th><th>what</th></tr></thead><tbody>${rows.join('')}</tbody></table>`
}

/** A schema in a few words; names lead to their shapes. */
function shapeOf(schema: Json): string {
  if (!isObject(schema)) return 'anything'
  const { $ref: ref, type, items, anyOf, properties, additionalProperties: values } = schema
  if (typeof ref === 'string') {
    const name = escape(ref.slice(ref.lastIndexOf('/') + 1))
    return `<a href="#schema-${name}"><code>${name}</code></a>`
  }
  if (Array.isArray(schema['enum']))
    return schema['enum'].map((each: Json) => `<code>${escape(JSON.stringify(each))}</code>`).join(' or ')
  if (schema['const'] !== undefined) return `<code>${escape(JSON.stringify(schema['const']))}</code>`
  if (Array.isArray(anyOf)) return anyOf.map((each: Json) => shapeOf(each)).join(' or ')
  if (type === 'array') return `list of ${shapeOf(items === undefined || items === false ? null : items)}`
  if (isObject(properties)) {
    return `{ ${Object.entries(properties)
      .map(([name, property]) => `<code>${escape(name)}</code>: ${shapeOf(property)}`)
      .join(', ')} }`
  }
  if (isObject(values)) return `mapping to ${shapeOf(values)}`
  return typeof type === 'string' ? escape(type) : 'anything'
}

function pretty(example: Json): string {
  return typeof example === 'string' ? example : JSON.stringify(example, null, 2)
}

function text(of: JsonObject, key: string): string {
  const value = of[key]
  return typeof value === 'string' ? value : ''
}

function list(value: Json | undefined): JsonObject[] {
  return Array.isArray(value) ? value.filter(each => isObject(each)) : []
}

function strings(value: Json | undefined): string[] {
  return Array.isArray(value) ? value.map(String) : []
}
