import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { projectRoot } from '../system/packages.ts'
import { Child } from './child.ts'
import type { Pin } from './cores.ts'

const SOURCES = {
  origin: 'bench/proxy/native/origin.c',
  paced: 'bench/proxy/native/paced.c',
  websocket: 'bench/proxy/native/websocket.c',
  floor: 'bench/peers/floor.c',
} as const

/** The bench's C programs, compiled into a folder of this run. */
export type Native = Readonly<Record<keyof typeof SOURCES, string>>

/** Throws where there is no C compiler. */
export function compileNative(folder: string): Native {
  const root = projectRoot()
  const compile = (name: keyof typeof SOURCES): string => {
    const program = join(folder, name)
    const include = join(root, 'bench/proxy/native')
    execFileSync('cc', ['-O2', '-Wall', '-I', include, '-o', program, join(root, SOURCES[name])])
    return program
  }
  return {
    origin: compile('origin'),
    paced: compile('paced'),
    websocket: compile('websocket'),
    floor: compile('floor'),
  }
}

/** Starts a program of ours that says its port. */
export async function startNative(
  name: string,
  pin: Pin,
  program: string,
  args: string[] = [],
): Promise<[Child, number]> {
  const child = new Child(name, pin(program, args))
  return [child, Number(await child.line(/^port (\d+)$/))]
}
