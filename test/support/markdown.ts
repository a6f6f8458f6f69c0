/** A fenced block of a Markdown file. */
export interface Fence {
  /** What follows the backticks: `sh`, `text`, `yaml`. */
  readonly language: string
  readonly text: string
  /** What the comment `<!-- test: … -->` on the line before it says; empty without one. */
  readonly note: string
  /** Of its first line, from 1. */
  readonly line: number
}

/** All fenced blocks, in order. */
export function readFences(markdown: string): Fence[] {
  const found = markdown.matchAll(/^(?:<!-- test: ([^\n]*?) -->\n)?```(\w*)\n([\s\S]*?)^```$/gm)
  return [...found].map(({ 1: note = '', 2: language = '', 3: text = '', index }) => ({
    language,
    text,
    note,
    line: markdown.slice(0, index).split('\n').length + (note === '' ? 1 : 2),
  }))
}

/** The text between single backticks, fenced blocks left out. */
export function inlineCode(markdown: string): string[] {
  const prose = markdown.replaceAll(/^```[\s\S]*?^```$/gm, '')
  return [...prose.matchAll(/`([^`\n]+(?:\n[^`\n]+)?)`/g)].map(([, code = '']) => code.replaceAll(/\s+/g, ' '))
}

/** What a heading is linked to by, as GitHub makes it. */
export function anchors(markdown: string): Set<string> {
  const prose = markdown.replaceAll(/^```[\s\S]*?^```$/gm, '')
  const headings = [...prose.matchAll(/^#+ (.+)$/gm)].map(([, text = '']) => text)
  return new Set(
    headings.map(text =>
      text
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )
}
