import { createHash } from 'node:crypto'

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

export function escape(text: string): string {
  return text.replace(/[&<>"]/g, found => ESCAPES[found] ?? '')
}

/** Escaped, with what stands in backticks as code. */
export function prose(text: string): string {
  return escape(text).replace(/`([^`]+)`/g, '<code>$1</code>')
}

const STYLE = `
:root { color-scheme: light dark; --line: light-dark(#d4d7dc, #3a3f47); --soft: light-dark(#f4f5f7, #1d2025); --link: light-dark(#0b57d0, #8ab4f8) }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; background: light-dark(#fff, #121417); color: light-dark(#1b1f24, #e6e8eb) }
h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2rem; border-bottom: 1px solid var(--line) }
a { color: var(--link) }
code, pre { font: 0.9em/1.45 ui-monospace, monospace }
pre { background: var(--soft); border: 1px solid var(--line); border-radius: 4px; padding: 0.6rem; overflow-x: auto }
details { border: 1px solid var(--line); border-radius: 4px; margin: 0.5rem 0; padding: 0 0.8rem }
summary { cursor: pointer; padding: 0.5rem 0; overflow-wrap: anywhere }
summary b { display: inline-block; min-width: 4.5rem }
summary span { display: block }
table { border-collapse: collapse; width: 100%; display: block; overflow-x: auto }
th, td { border-bottom: 1px solid var(--line); padding: 0.3rem 0.6rem; text-align: left; vertical-align: top }
`

/** Nothing but this page's own style: no script, no network, nobody's frame. */
const HASH = createHash('sha256').update(STYLE).digest('base64')
export const PAGE_POLICY = `default-src 'none'; style-src 'sha256-${HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`

export function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
${body}
</main>
</body>
</html>
`
}
