import type { Problem } from '../../../contracts/api/problem.ts'
import { createStore } from './store.ts'

const TOKEN_KEY = 'vipswap.token'

/** The bearer token, for this tab only; null where none was given. */
export const token = createStore<string | null>(sessionStorage.getItem(TOKEN_KEY))
/** The admin asked for a token, or refused the one it got (the text says which); null while all is well. */
export const tokenWanted = createStore<string | null>(null)

export function giveToken(value: string): void {
  sessionStorage.setItem(TOKEN_KEY, value)
  tokenWanted.set(null)
  token.set(value)
}

/** What the admin refused, or that it does not answer. */
export class ApiError extends Error {
  /** null: no answer, or not one of vipswap's. */
  readonly problem: Problem | null

  constructor(message: string, problem: Problem | null = null) {
    super(message)
    this.name = 'ApiError'
    this.problem = problem
  }
}

export type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE'

/** The answer to one call, not read yet. Throws `ApiError` for refusals and where nobody answers. */
export async function open(
  method: Method,
  path: string,
  options: { body?: unknown; headers?: Record<string, string>; signal?: AbortSignal } = {},
): Promise<Response> {
  const headers: Record<string, string> = { ...authorization(), ...options.headers }
  if (options.body !== undefined) headers['content-type'] = 'application/json'
  let response: Response
  try {
    response = await fetch(path, {
      method,
      headers,
      cache: 'no-store',
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    })
  } catch (error) {
    if (options.signal?.aborted === true) throw error
    throw new ApiError('the controller does not answer')
  }
  if (response.ok) return response
  throw refusal(response.status, await response.text().catch(() => ''))
}

/** The answer to one call as JSON. */
export async function call<T>(method: Method, path: string, body?: unknown): Promise<T> {
  const response = await open(method, path, body === undefined ? {} : { body })
  // The contract says what each call answers.
  return (await response.json()) as T
}

/** Sends a file as it is; `onProgress` gets the share that has gone, from 0 to 1. */
export function upload<T>(path: string, file: File, type: string, onProgress: (share: number) => void): Promise<T> {
  // `fetch` does not tell how much of a body has gone.
  const request = new XMLHttpRequest()
  return new Promise((resolve, reject) => {
    request.open('POST', path)
    request.setRequestHeader('content-type', type)
    for (const [name, value] of Object.entries(authorization())) request.setRequestHeader(name, value)
    request.upload.addEventListener('progress', ({ loaded, total }) => onProgress(total === 0 ? 1 : loaded / total))
    request.addEventListener('error', () =>
      reject(new ApiError('the upload broke off: the controller does not answer')),
    )
    request.addEventListener('load', () => {
      // The contract says what each call answers.
      if (request.status < 400) resolve(JSON.parse(request.responseText) as T)
      else reject(refusal(request.status, request.responseText))
    })
    request.send(file)
  })
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

export function slotPath(service: string, slot: string): string {
  return `/v1/services/${encodeURIComponent(service)}/slots/${slot}`
}

export function instancePath(service: string, slot: string, instance: string): string {
  return `${slotPath(service, slot)}/instances/${encodeURIComponent(instance)}`
}

function authorization(): Record<string, string> {
  const value = token.get()
  return value === null ? {} : { authorization: `Bearer ${value}` }
}

function refusal(status: number, text: string): ApiError {
  let problem: Problem | null = null
  try {
    // Every refusal of the admin is a problem document.
    problem = JSON.parse(text) as Problem
  } catch {
    // Something between here and the controller answered.
  }
  if (status === 401) tokenWanted.set(problem?.detail ?? 'a token is needed')
  return new ApiError(problem?.detail ?? `answered ${status}`, problem)
}
