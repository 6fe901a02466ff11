// Module hooks for TypeScript without a build step: files are transformed, and imports find the .ts file
// where .js, or no extension, is written. Runs in Node's hooks thread (resolve, load) or in the importing
// one (resolveSync, loadSync); knows nothing of the server.

import { readFileSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { MessagePort } from 'node:worker_threads'

type Format = 'module' | 'commonjs'
interface Resolution {
  url: string
  format?: string | null
  shortCircuit?: boolean
}
interface Source {
  format: string
  source?: string | ArrayBuffer | Uint8Array | null | undefined
  shortCircuit?: boolean
}
interface ResolveContext {
  parentURL?: string | undefined
}
type Transform = (
  code: string,
  options: { mode: 'transform'; sourceMap: true; filename: string },
) => { code: string; map?: string }

/** A module's JavaScript with its source map, and what its file was like. */
export interface TransformedFile {
  path: string
  mtimeMs: number
  size: number
  source: string
}
export interface HooksData {
  /** Transformed elsewhere. */
  known: readonly TransformedFile[]
  /** How others are told of what is transformed here: by a message, or a call within the thread. */
  port?: MessagePort
  tell?: (file: TransformedFile) => void
}

const TYPESCRIPT = /\.([cm]?)ts$/
const TWIN = /\.([cm]?)js$/
/** What may stand behind an import without extension. */
const ENDINGS = ['.ts', '.mts', '.cts', '/index.ts', '/index.mts']

const known = new Map<string, TransformedFile>()
let tell: (file: TransformedFile) => void = () => undefined

/** Node calls it in the hooks' thread; who registers hooks in its own thread calls it itself. */
export function initialize(data: HooksData): void {
  for (const file of data.known) known.set(file.path, file)
  const { port } = data
  tell = port === undefined ? (data.tell ?? tell) : (file) => port.postMessage(file)
}

export async function resolve(
  specifier: string,
  context: ResolveContext,
  next: (specifier: string, context: ResolveContext) => Promise<Resolution>,
): Promise<Resolution> {
  return twinOf(specifier, context) ?? next(specifier, context)
}

export function resolveSync(
  specifier: string,
  context: ResolveContext,
  next: (specifier: string, context: ResolveContext) => Resolution,
): Resolution {
  return twinOf(specifier, context) ?? next(specifier, context)
}

export async function load<C>(
  url: string,
  context: C,
  next: (url: string, context: C) => Promise<Source>,
): Promise<Source> {
  return transformed(url) ?? next(url, context)
}

export function loadSync<C>(
  url: string,
  context: C,
  next: (url: string, context: C) => Source,
): Source {
  return transformed(url) ?? next(url, context)
}

/** The .ts file that a relative import from another .ts file means; a file that is there as written wins. */
function twinOf(specifier: string, { parentURL }: ResolveContext): Resolution | undefined {
  if (!/^\.{0,2}\//.test(specifier) || parentURL === undefined) return undefined
  if (!TYPESCRIPT.test(withoutQuery(parentURL))) return undefined
  const url = new URL(specifier, parentURL)
  if (url.protocol !== 'file:' || isFile(url)) return undefined
  const found = candidates(url.pathname).find((path) => isFile(new URL(path, url)))
  return found === undefined
    ? undefined
    : { url: new URL(found + url.search, url).href, shortCircuit: true }
}

function candidates(path: string): string[] {
  return TWIN.test(path) ? [path.replace(TWIN, '.$1ts')] : ENDINGS.map((ending) => path + ending)
}

const isFile = (url: URL): boolean => statSync(url, { throwIfNoEntry: false })?.isFile() ?? false

const withoutQuery = (url: string): string => url.replace(/[?#].*$/, '')

let transform: Transform | undefined

/** The module's JavaScript; undefined when it is no TypeScript file. */
function transformed(url: string): Source | undefined {
  const path = withoutQuery(url)
  const kind = TYPESCRIPT.exec(path)
  if (kind === null || !path.startsWith('file:')) return undefined
  const format: Format = kind[1] === 'c' ? 'commonjs' : 'module'
  return { format, source: sourceOf(fileURLToPath(path)), shortCircuit: true }
}

function sourceOf(path: string): string {
  const { mtimeMs, size } = statSync(path)
  const before = known.get(path)
  if (before?.mtimeMs === mtimeMs && before.size === size) return before.source
  const file = { path, mtimeMs, size, source: compile(path) }
  known.set(path, file)
  tell(file)
  return file.source
}

function compile(path: string): string {
  transform ??= (
    createRequire(import.meta.url)('@swc/wasm-typescript') as { transformSync: Transform }
  ).transformSync
  const { code, map } = run(transform, readFileSync(path, 'utf8'), path)
  const inline = map === undefined ? '' : Buffer.from(map).toString('base64')
  return `${code}\n//# sourceMappingURL=data:application/json;base64,${inline}\n`
}

/** A syntax error keeps its excerpt; an error of the hooks thread keeps nothing but its message. */
function run(transform: Transform, code: string, filename: string): { code: string; map?: string } {
  try {
    return transform(code, { mode: 'transform', sourceMap: true, filename })
  } catch (error) {
    const { message, snippet, startLine } = error as Record<string, unknown>
    const at = startLine === undefined ? filename : `${filename}:${startLine}`
    throw new SyntaxError(
      [`${at}: ${String(message ?? error)}`, snippet].filter(Boolean).join('\n'),
    )
  }
}
