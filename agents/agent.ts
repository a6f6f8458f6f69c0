import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { AgentReadings } from '../src/contracts/agent-metrics.ts'
import type { AssignedInstance, Assignment, InstanceObservation } from '../src/contracts/assignment.ts'
import type { FromAgent } from '../src/contracts/link.ts'
import type { Revision } from '../src/contracts/revision.ts'
import type { Clock } from '../src/core/clock.ts'
import { errorMessage } from '../src/core/errors.ts'
import type { Logger } from '../src/core/logger.ts'
import { AgentMetrics } from './agent-metrics.ts'
import { endStrays, findInstances } from './adoption.ts'
import type { CgroupTree } from './cgroup.ts'
import { findConfinement, type Confinement } from './confinement.ts'
import { InstanceFolders } from './folders.ts'
import { FrontedInstances } from './fronted.ts'
import { Instance } from './instance.ts'
import type { InstanceContext } from './launch.ts'
import { rotateLog } from './logs.ts'
import { isAssignment, loadAssignment, saveAssignment } from './node-state.ts'
import { removeTree } from './owned-tree.ts'
import { PackageCache } from './package-cache.ts'
import type { PackageSource } from './package-source.ts'
import { PackageTrust } from './package-trust.ts'
import { PortAllocator } from './ports.ts'
import { judgeAssignment } from './reconciler.ts'
import { SecretStore } from './secret-store.ts'
import { StrayScanner } from './strays.ts'

const ROTATE_MS = 500
/** Seldom: measuring reads every folder. */
const MEASURE_MS = 30_000
/** Until an assignment names the range. */
const FIRST_RANGE = { from: 20_000, to: 29_999 }
const SAFE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/

export interface NodeAgentOptions {
  readonly name: string
  /** This node's own folder: DATA/nodes/<name>. */
  readonly directory: string
  /** Instances listen there. */
  readonly host: string
  /** Proxies reach them there; default `host`. */
  readonly advertise?: string
  readonly clock: Clock
  readonly log: Logger
  readonly source: PackageSource
  readonly digestOf: (directory: string) => Promise<string>
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly onChange: () => void
  /** Without a signature of one of these no package is run, whatever the controller says. Absent: as it says. */
  readonly trustedKeys?: Readonly<Record<string, string>>
  /** Default: what this machine gives. */
  readonly confinement?: Confinement
  /** Absent: none. */
  readonly cgroups?: CgroupTree | null
  /** Between two measures of the local storages, milliseconds. */
  readonly measureMs?: number
}

/** All instances of one node, kept as the newest assignment says. Knows nothing of the link. */
export class NodeAgent {
  readonly #metrics = new AgentMetrics()
  readonly #options: NodeAgentOptions
  readonly #instances = new Map<string, Instance>()
  readonly #packages: PackageCache
  readonly #ports: PortAllocator
  readonly #context: InstanceContext
  readonly #fronted: FrontedInstances
  readonly #secrets: SecretStore
  readonly #trust: PackageTrust
  #assignment: Assignment | null = null
  #stopping = false
  #rotation: NodeJS.Timeout | undefined

  constructor(options: NodeAgentOptions) {
    this.#options = options
    const { directory, host, advertise = host, clock, log, source, digestOf, environment, onChange } = options
    mkdirSync(directory, { recursive: true })
    // Ends Node's search for a manifest: a role's own says what its modules are, never one around our data folder.
    writeFileSync(join(directory, 'package.json'), '{}\n')
    this.#trust = new PackageTrust({
      directory: join(directory, 'signatures'),
      ownKeys: options.trustedKeys ?? null,
      fetch: async digest => source.signatures(digest),
    })
    const admit = async (digest: string): Promise<void> => this.#trust.check(digest)
    const onTrouble = (digest: string, reason: string): void =>
      log.warn({ package: digest, reason }, 'cannot get a package just now; trying again')
    const folder = join(directory, 'packages')
    this.#packages = new PackageCache({ directory: folder, source, digestOf, admit, onChange, onTrouble })
    this.#ports = new PortAllocator({
      file: join(directory, 'ports.json'),
      host,
      range: FIRST_RANGE,
    })
    this.#fronted = new FrontedInstances(clock, onChange)
    const trash = join(directory, 'trash')
    const [packages, ports, metrics] = [this.#packages, this.#ports, this.#metrics]
    this.#secrets = new SecretStore({ key: join(directory, 'secrets.key'), values: join(directory, 'secrets.sealed') })
    const { confinement = findConfinement(environment['PATH']), cgroups = null } = options
    const [data, strays] = [dirname(dirname(directory)), new StrayScanner()]
    const secretOf = (sealed: string): string | null => this.#secrets.valueOf(sealed)
    this.#context = {
      host,
      advertise,
      clock,
      log,
      packages,
      ports,
      trash,
      environment,
      metrics,
      secretOf,
      onChange,
      data,
      confinement,
      strays,
      cgroups,
    }
  }

  get applied(): Revision | null {
    return this.#assignment?.revision ?? null
  }

  /** Takes over what is on this machine and goes on as last told. With `stopping` nothing is started any more. */
  async start({ stopping }: { stopping: boolean }): Promise<void> {
    const { log } = this.#options
    this.#stopping = stopping
    removeTree(this.#context.trash).catch((error: unknown) => {
      log.warn({ error: errorMessage(error) }, 'could not empty the trash')
    })
    const { assignment, damaged } = loadAssignment(this.#stateFile)
    if (damaged) log.error({ file: this.#stateFile }, 'the state file was damaged and is set aside; instances go on')
    if (!this.#secrets.load()) log.error('the file of secrets is damaged; what needs one waits for the controller')
    const found = findInstances(this.#instanceDirectory)
    const strays = await endStrays(this.#instanceDirectory, found)
    if (strays.length > 0) log.warn({ strays }, 'ended processes that no record names')
    for (const { key, folders, record } of found) {
      const instance = new Instance(key, folders, this.#context, record)
      // Without any assignment an instance goes on as it was started.
      if (assignment === null && record !== null) instance.want(record.assigned)
      this.#admit(instance)
    }
    if (assignment !== null) this.#adjust(assignment)
    for (const instance of this.#instances.values()) this.#begin(instance)
    this.#rotation = setInterval(() => void this.#rotate(), ROTATE_MS)
    this.#rotation.unref()
    this.#measureLater()
  }

  /** Takes a whole assignment; answers a refusal to send, or null if it was applied. */
  apply(assignment: unknown): Extract<FromAgent, { type: 'refused' }> | null {
    const { log } = this.#options
    if (!isAssignment(assignment)) {
      log.warn('the controller sent an assignment that is none')
      return null
    }
    const known = { node: this.#options.name, fabric: this.#assignment?.fabric ?? null, applied: this.applied }
    const verdict = judgeAssignment(known, assignment)
    switch (verdict.kind) {
      case 'foreign':
        log.error({ reason: verdict.reason }, 'refused an assignment')
        return null
      case 'older':
        log.warn({ revision: assignment.revision, applied: verdict.applied }, 'refused an older assignment')
        return { type: 'refused', revision: assignment.revision, applied: verdict.applied }
      case 'apply':
        this.#accept(assignment)
        this.#metrics.applied(this.#options.clock.now().wall)
        this.#options.onChange()
        return null
    }
  }

  /** Secrets first: what is started for the assignment finds them. On the disk they lie sealed, and apart. */
  #accept({ secrets = {}, ...assignment }: Assignment): void {
    const needed = assignment.instances.flatMap(({ spec }) =>
      (spec.secrets ?? []).map(name => spec.settings[name] ?? ''),
    )
    this.#secrets.take(secrets, new Set(needed))
    saveAssignment(this.#stateFile, assignment)
    this.#adjust(assignment)
  }

  observed(): Extract<FromAgent, { type: 'observed' }> {
    const instances: InstanceObservation[] = this.#fronted.observe()
    for (const instance of this.#instances.values()) {
      const observation = instance.observe()
      if (observation !== null) instances.push(observation)
    }
    const { verified, errors } = this.#packages
    return { type: 'observed', revision: this.applied, instances, packages: verified, packageErrors: errors }
  }

  /** What it has counted and measures now. */
  readings(): AgentReadings {
    return this.#metrics.readings(this.#instances.size)
  }

  /** The log file of an instance, or null if this node does not have it. */
  logOf(key: string): string | null {
    return this.#instances.get(key)?.folders.log ?? null
  }

  /** Begins to stop every instance; `isStopped` says when none is left. */
  stopAll(): void {
    this.#stopping = true
    for (const instance of this.#instances.values()) instance.stopAll()
  }

  get isStopped(): boolean {
    return [...this.#instances.values()].every(instance => instance.isStopped)
  }

  #adjust(assignment: Assignment): void {
    this.#assignment = assignment
    this.#trust.tell(assignment.trustedKeys ?? null)
    this.#ports.setRange(assignment.portRange)
    this.#fronted.want(assignment.fronted ?? [])
    const wanted = new Map<string, AssignedInstance>()
    for (const assigned of assignment.instances) {
      if (SAFE_NAME.test(assigned.deployment) && SAFE_NAME.test(folderOf(assigned))) wanted.set(assigned.key, assigned)
      else this.#options.log.error({ key: assigned.key }, 'refused an instance whose name cannot be a folder')
    }
    for (const instance of this.#instances.values()) instance.want(wanted.get(instance.key) ?? null)
    for (const [key, assigned] of wanted) {
      if (this.#instances.has(key)) continue
      const folders = new InstanceFolders(join(this.#instanceDirectory, assigned.deployment, folderOf(assigned)))
      const instance = new Instance(key, folders, this.#context, null)
      instance.want(assigned)
      this.#admit(instance)
      if (this.#rotation !== undefined) this.#begin(instance)
    }
    this.#packages.prefetch(assignment.packages)
    this.#tidyPackages()
  }

  #admit(instance: Instance): void {
    this.#instances.set(instance.key, instance)
    if (this.#stopping) instance.stopAll()
  }

  #begin(instance: Instance): void {
    instance.run().then(
      () => {
        this.#instances.delete(instance.key)
        this.#tidyPackages()
        this.#options.onChange()
      },
      (error: unknown) => {
        // A defect in one runner: nothing it runs is lost, and the next agent takes it over.
        this.#options.log.fatal({ instance: instance.key, error }, 'an instance runner failed')
        process.exit(70)
      },
    )
  }

  #tidyPackages(): void {
    if (this.#assignment === null) return
    const keep = new Set(this.#assignment.packages)
    for (const instance of this.#instances.values()) for (const digest of instance.packages) keep.add(digest)
    this.#trust.retain(keep)
    this.#packages.retain(keep).catch((error: unknown) => {
      this.#options.log.warn({ error: errorMessage(error) }, 'could not remove a package')
    })
  }

  async #rotate(): Promise<void> {
    clearInterval(this.#rotation)
    for (const { key, folders } of this.#instances.values()) {
      try {
        await rotateLog(folders.log)
      } catch (error) {
        this.#options.log.warn({ instance: key, error: errorMessage(error) }, 'could not rotate a log')
      }
    }
    this.#rotation = setInterval(() => void this.#rotate(), ROTATE_MS)
    this.#rotation.unref()
  }

  async #measure(): Promise<void> {
    for (const instance of this.#instances.values()) await instance.measureStorage()
    this.#measureLater()
  }

  #measureLater(): void {
    setTimeout(() => void this.#measure(), this.#options.measureMs ?? MEASURE_MS).unref()
  }

  get #stateFile(): string {
    return join(this.#options.directory, 'agent.json')
  }

  get #instanceDirectory(): string {
    return join(this.#options.directory, 'instances')
  }
}

/** The key names the folder: two processes of one instance have a key each. */
function folderOf({ key, deployment }: AssignedInstance): string {
  return key.startsWith(`${deployment}/`) ? key.slice(deployment.length + 1) : ''
}
