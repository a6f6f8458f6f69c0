import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { age } from '../core/format.ts'
import { useNow } from '../core/now.ts'
import { toneOf } from '../core/tones.ts'
import { Icon } from './icon.tsx'
import type { Look } from './states.ts'

/** A state: shape, colour, and always its word. */
export function State({ look, title }: { look: Look; title?: string }): JSX.Element {
  return (
    <span class={`state tone-${look.tone}`} title={title}>
      <Icon name={look.icon} />
      {look.text}
    </span>
  )
}

/** A version in the colour it has all over its service. */
export function Version({ service, version }: { service: string; version: string }): JSX.Element {
  return (
    <span class="version" data-tone={toneOf(service, version)}>
      {version}
    </span>
  )
}

/** Whose keys signed a package; nothing where nobody's that is trusted did. */
export function Signers({ signedBy }: { signedBy: readonly string[] | undefined }): JSX.Element | null {
  if (signedBy === undefined || signedBy.length === 0) return null
  return (
    <span class="signers">
      <Icon name="check" size={14} /> signed by {signedBy.join(', ')}
    </span>
  )
}

export function Age({ at }: { at: string }): JSX.Element {
  const text = age(at, useNow())
  return (
    <time dateTime={at} title={new Date(at).toLocaleString('en-GB')}>
      {text}
    </time>
  )
}

export function Bar({ share, label, tone = 'plain' }: { share: number; label: string; tone?: string }): JSX.Element {
  const percent = Math.round(100 * Math.min(1, Math.max(0, share)))
  return (
    <div
      class={`bar bar-${tone}`}
      role="progressbar"
      aria-label={label}
      aria-valuenow={percent}
      aria-valuemin={0}
      aria-valuemax={100}
    >
      <div class="bar-fill" style={{ width: `${percent}%` }} />
    </div>
  )
}

export function Copy({ text, what }: { text: string; what: string }): JSX.Element {
  const [done, setDone] = useState(false)
  useEffect(() => {
    if (!done) return undefined
    const timer = setTimeout(() => setDone(false), 1500)
    return () => clearTimeout(timer)
  }, [done])
  const copy = (): void => {
    void navigator.clipboard.writeText(text).then(() => setDone(true))
  }
  return (
    <button
      type="button"
      class="icon-button"
      aria-label={done ? 'copied' : `copy ${what}`}
      title={done ? 'copied' : `copy ${what}`}
      onClick={copy}
    >
      <Icon name={done ? 'check' : 'copy'} />
    </button>
  )
}

export function Empty({ children }: { children: ComponentChildren }): JSX.Element {
  return <p class="empty">{children}</p>
}

/** Something that needs to be read: `bad` is read out at once. */
export function Callout({
  tone,
  children,
}: {
  tone: 'bad' | 'warn' | 'plain'
  children: ComponentChildren
}): JSX.Element {
  return (
    <div class={`callout callout-${tone}`} role={tone === 'bad' ? 'alert' : undefined}>
      {tone === 'plain' ? null : <Icon name={tone === 'bad' ? 'cross' : 'warning'} />}
      <div>{children}</div>
    </div>
  )
}
