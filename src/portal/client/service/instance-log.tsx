import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { messageOf, open } from '../core/api.ts'
import { connection } from '../core/live.ts'
import { useStore } from '../core/store.ts'

const TAIL_BYTES = 16_384
const KEPT_CHARS = 200_000
const FLUSH_MS = 50

/** An instance's output as it is written; it keeps to its end unless one has scrolled back. */
export function InstanceLog({ path }: { path: string }): JSX.Element {
  const [text, setText] = useState('')
  const [state, setState] = useState('live')
  const box = useRef<HTMLPreElement>(null)
  const atEnd = useRef(true)
  const { state: link } = useStore(connection)

  useEffect(() => {
    if (link !== 'live') return undefined
    const stop = new AbortController()
    setText('')
    setState('live')
    follow(path, stop.signal, setText).then(
      () => {
        if (!stop.signal.aborted) setState('ended')
      },
      (error: unknown) => {
        if (!stop.signal.aborted) setState(messageOf(error))
      },
    )
    return () => stop.abort()
  }, [path, link])

  useEffect(() => {
    if (atEnd.current && box.current !== null) box.current.scrollTop = box.current.scrollHeight
  }, [text])

  return (
    <section class="log">
      <h3>
        Log <span class="quiet">{state}</span>
      </h3>
      <pre
        ref={box}
        tabIndex={0}
        role="region"
        aria-label="log"
        onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
          atEnd.current = scrollHeight - scrollTop - clientHeight < 20
        }}
      >
        {text === '' ? 'nothing written yet' : text}
      </pre>
    </section>
  )
}

async function follow(
  path: string,
  signal: AbortSignal,
  show: (update: (before: string) => string) => void,
): Promise<void> {
  const response = await open('GET', `${path}/logs?follow=1&tail=${TAIL_BYTES}`, { signal })
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  if (reader === undefined) return
  let waiting = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    if (waiting === '') {
      setTimeout(() => {
        const piece = waiting
        waiting = ''
        if (!signal.aborted) show(before => (before + piece).slice(-KEPT_CHARS))
      }, FLUSH_MS)
    }
    waiting += value
  }
}
