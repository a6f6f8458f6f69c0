/** How a changed package can come into use. */
export type Way = 'inPlace' | 'swap' | 'redeploy'

/** `force`: yes, but only with the flag, since local data is lost. `warns`: yes, and it is said what may go wrong. */
export type Verdict = 'yes' | 'no' | 'force' | 'warns'

interface Rule {
  /** As in "The package …": what the change is. */
  readonly title: string
  readonly inPlace: Verdict
  readonly swap: Verdict
  readonly redeploy: Verdict
  /** Why, where it is not "yes" everywhere, or under which condition. */
  readonly rule: string
}

/**
 * The one table of allowed changes (Cloud Services, "How to update a cloud service", section "Allowed service changes
 * during an update", and what is needed beyond it). Refusals, plans and docs/allowed-changes.md are made of it.
 */
export const ALLOWED_CHANGES = {
  platformVersion: yes('platform version', 'walks the domains: every role restarts on it'),
  trustLevel: yes('trust level', 'walks the domains: every role restarts under it'),
  roleAdded: yes(
    'role added',
    'its instances start in their domains; a swap compares the endpoints of all roles together',
  ),
  roleRemoved: {
    title: 'role removed',
    inPlace: 'force',
    swap: 'yes',
    redeploy: 'yes',
    rule: 'what its instances stored locally is lost; they go after the last domain is verified. Another name is a role removed and one added',
  },
  instanceCount: yes(
    'instance count',
    'more start before the first domain goes down; fewer go after the last one, the highest index first',
  ),
  settingNames: yes('setting names', 'walks the domains of the role'),
  settingValues: yes('setting values', 'walks the domains of the role; needs no new package'),
  certificateAdded: yes('new certificate', 'one from a configuration is a change of the table alone'),
  certificateChanged: yes('changed certificate', 'one from a configuration is a change of the table alone'),
  code: yes('new code', 'walks the domains of the roles whose files or definition differ'),
  size: {
    title: 'size of a role',
    inPlace: 'force',
    swap: 'yes',
    redeploy: 'yes',
    rule: 'to a size that vipswap.yaml lists, within its quota; what the instances stored locally is lost',
  },
  storageLarger: yes('local storage larger, or another one', 'what is stored stays, since no instance moves'),
  storageSmaller: {
    title: 'local storage smaller, or one less',
    inPlace: 'no',
    swap: 'yes',
    redeploy: 'yes',
    rule: 'local storage only ever grows in place',
  },
  endpoints: {
    title: 'number or type of endpoints',
    inPlace: 'yes',
    swap: 'no',
    redeploy: 'yes',
    rule: 'addresses stay where they are on a swap, so both sides must have the same ones; in place an added one listens on both VIPs from the beginning and a removed one until the last domain is verified',
  },
  endpointSpeech: {
    title: 'what the instances speak at an endpoint (tcp, http, h2c), under the same name',
    inPlace: 'no',
    swap: 'no',
    redeploy: 'yes',
    rule: 'half-way callers of one endpoint would meet instances of both kinds; under another name and port it is an endpoint removed and one added',
  },
  endpointProxyProtocol: {
    title: '`proxyProtocol` of an endpoint, under the same name',
    inPlace: 'no',
    swap: 'no',
    redeploy: 'yes',
    rule: 'who calls the address must change at the same moment; under another name and port it is an endpoint removed and one added',
  },
  runKind: {
    title: '`command` instead of `upstreams`, or the other way round',
    inPlace: 'no',
    swap: 'yes',
    redeploy: 'yes',
    rule: 'what vipswap runs has a node, what it fronts has none; under another name it is a role removed and one added',
  },
  domainCount: {
    title: 'number of upgrade domains',
    inPlace: 'no',
    swap: 'yes',
    redeploy: 'yes',
    rule: 'a walk needs the domains it began with',
  },
  versionPath: {
    title: 'a version outside `requires`',
    inPlace: 'no',
    swap: 'warns',
    redeploy: 'yes',
    rule: 'the lowest version that any instance runs counts, also half-way through an upgrade',
  },
} as const satisfies Record<string, Rule>

export type ChangeKind = keyof typeof ALLOWED_CHANGES

function yes<T extends string>(title: T, rule: string) {
  return { title, inPlace: 'yes', swap: 'yes', redeploy: 'yes', rule } as const
}

const WAYS: Readonly<Record<Way, string>> = {
  inPlace: 'upgrade in place',
  swap: 'deploy it to staging and swap',
  redeploy: 'delete and redeploy',
}

/** The other ways by which a change can be made, in words. */
export function otherWays(kind: ChangeKind, way: Way): string {
  const rule: Rule = ALLOWED_CHANGES[kind]
  return (Object.keys(WAYS) as Way[]) // keys of the literal above
    .filter(other => other !== way && rule[other] !== 'no')
    .map(other => `${WAYS[other]}${rule[other] === 'force' ? ' with --force' : ''}`)
    .join(', or ')
}

const WORDS: Readonly<Record<Verdict, string>> = {
  yes: 'yes',
  no: '**no**',
  force: 'with `--force`',
  warns: 'yes, with a warning',
}

/** docs/allowed-changes.md, whole. */
export function allowedChangesText(): string {
  const rows = Object.entries(ALLOWED_CHANGES as Record<string, Rule>).map(
    ([kind, { title, inPlace, swap, redeploy, rule }]) =>
      `| ${title} | ${WORDS[inPlace]} | ${WORDS[swap]} | ${WORDS[redeploy]} | ${rule} | \`${kind}\` |`,
  )
  return `${HEAD}
| change | in place | swap | delete and redeploy | rule | name |
| --- | --- | --- | --- | --- | --- |
${rows.join('\n')}
${TAIL}`
}

const HEAD = `# Which change may be made which way

Printed from the table that the rules use (\`src/fabric/allowed-changes.ts\`) by
\`npm run build && node dist/src/controller/publish-allowed-changes.js docs/allowed-changes.md\`; a test keeps the two equal.

\`vipswap upgrade\` changes a deployment in place, domain by domain. \`vipswap deploy --slot staging\` and \`vipswap swap\` bring a
second deployment beside it. \`vipswap deploy --replace\` deletes and redeploys. \`vipswap plan upgrade PACKAGE\` says what applies.
`

const TAIL = `
A refusal is \`change_not_allowed\` (never this way) or \`force_required\` (with \`--force\`), names the change, the rule and the other
ways, and carries all that stands in the way in \`blockers\`. Sizes have cores in vipswap.yaml; a role without a size counts one core,
one that fronts \`upstreams\` none. More than \`quota.cores\` over all services and both slots is \`quota_exceeded\`, with the figures.

With \`--no-role-changes\` (\`allowRoleChanges: false\`, Service Fabric's default services) a role that the package no longer has is
kept, and one whose kind, size or number of instances differs is refused; new roles are always created.

## Roles and endpoints on the way

1. Before the first domain: packages on the nodes, new addresses bound on both VIPs (an address that cannot be bound fails the
   upgrade, with nothing stopped), instances of a larger count started on the old version and ready.
2. An added endpoint answers 503 until one of its instances is ready. One that only has another port is served by all
   instances from the beginning, on both ports. One that is only renamed on its port is served all the way. \`http\` to \`https\` on
   the same port changes when the last domain is verified.
3. After the last domain is verified: removed endpoints are closed, then instances of removed roles and of a smaller count
   drain and go. Until they have gone a rollback is possible.
4. A rollback walks back what had moved, then removes what was added. Instances that had gone come back without their local
   data, and the receipt says so.
`
