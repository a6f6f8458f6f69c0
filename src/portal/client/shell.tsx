import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { tokenWanted } from './core/api.ts'
import { go, hrefs, route, type Route } from './core/router.ts'
import { useShortcut } from './core/shortcuts.ts'
import { useStore } from './core/store.ts'
import type { Theme } from './core/theme-choice.ts'
import { chooseTheme, theme } from './core/theme.ts'
import { NodesPage } from './pages/nodes.tsx'
import { OperationPage } from './pages/operation.tsx'
import { OperationsPage } from './pages/operations.tsx'
import { ServicePage } from './pages/service.tsx'
import { ServicesPage } from './pages/services.tsx'
import { TimelinePage } from './pages/timeline.tsx'
import { AwayBar, ConnectionChip } from './shell/connection.tsx'
import { Help } from './shell/help.tsx'
import { RecoveryBar } from './shell/recovery-bar.tsx'
import { TokenDialog } from './shell/token-dialog.tsx'
import { Icon, type IconName } from './ui/icon.tsx'
import { Notices } from './ui/notices.tsx'

const NAVIGATION = [
  { page: 'services', text: 'Services', href: hrefs.services },
  { page: 'operations', text: 'Operations', href: hrefs.operations },
  { page: 'timeline', text: 'Timeline', href: hrefs.timeline },
  { page: 'nodes', text: 'Nodes', href: hrefs.nodes },
] as const

const THEMES = {
  system: { next: 'light', icon: 'system' },
  light: { next: 'dark', icon: 'sun' },
  dark: { next: 'system', icon: 'moon' },
} as const satisfies Record<Theme, { next: Theme; icon: IconName }>

/** What stands around every page. */
export function Shell(): JSX.Element {
  const at = useStore(route)
  const wanted = useStore(tokenWanted)
  const [help, setHelp] = useState(false)
  useShortcut('g s', 'services', () => go(hrefs.services))
  useShortcut('g o', 'operations', () => go(hrefs.operations))
  useShortcut('g t', 'timeline', () => go(hrefs.timeline))
  useShortcut('g n', 'nodes', () => go(hrefs.nodes))
  useShortcut('?', 'this help', () => setHelp(true))
  useEffect(() => {
    document.title = titleOf(at)
  }, [at])
  return (
    <>
      <a class="skip" href="#main" onClick={skip}>
        to the page
      </a>
      <header class="top">
        <div class="top-row">
          <a class="brand" href={hrefs.services}>
            <Icon name="swap" size={18} />
            vipswap
          </a>
          <nav aria-label="pages">
            {NAVIGATION.map(({ page, text, href }) => (
              <a key={page} href={href} aria-current={isOn(page, at) ? 'page' : undefined}>
                {text}
              </a>
            ))}
          </nav>
          <div class="top-end">
            <ConnectionChip />
            <ThemeSwitch />
            <button
              type="button"
              class="icon-button"
              aria-label="help and shortcuts"
              title="help and shortcuts (?)"
              onClick={() => setHelp(true)}
            >
              ?
            </button>
          </div>
        </div>
      </header>
      <AwayBar />
      {wanted === null ? <RecoveryBar /> : null}
      <main id="main" tabIndex={-1}>
        <Page at={at} />
      </main>
      <Notices within={null} />
      {help ? <Help onClose={() => setHelp(false)} /> : null}
      {wanted === null ? null : <TokenDialog why={wanted} />}
    </>
  )
}

function Page({ at }: { at: Route }): JSX.Element {
  switch (at.page) {
    case 'services':
      return <ServicesPage />
    case 'service':
      return <ServicePage key={at.service} name={at.service} instance={at.instance} />
    case 'operations':
      return at.operation === null ? <OperationsPage /> : <OperationPage key={at.operation} id={at.operation} />
    case 'timeline':
      return <TimelinePage />
    case 'nodes':
      return <NodesPage />
    case 'unknown':
      return (
        <>
          <h1>There is no such page</h1>
          <p>
            <a href={hrefs.services}>All services</a>
          </p>
        </>
      )
  }
}

function ThemeSwitch(): JSX.Element {
  const chosen = useStore(theme)
  const { next, icon } = THEMES[chosen]
  return (
    <button
      type="button"
      class="icon-button"
      aria-label={`theme: ${chosen}; change to ${next}`}
      title={`theme: ${chosen}`}
      onClick={() => chooseTheme(next)}
    >
      <Icon name={icon} />
    </button>
  )
}

function isOn(page: Route['page'], at: Route): boolean {
  return page === at.page || (page === 'services' && at.page === 'service')
}

function titleOf(at: Route): string {
  if (at.page === 'service') return `${at.service} · vipswap`
  if (at.page === 'operations' && at.operation !== null) return `${at.operation} · vipswap`
  return at.page === 'unknown' ? 'vipswap' : `${at.page} · vipswap`
}

/** The address behind # is the page's; the jump must not change it. */
function skip(event: Event): void {
  event.preventDefault()
  document.getElementById('main')?.focus()
}
