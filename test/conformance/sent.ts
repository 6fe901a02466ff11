// Handlers that run in another thread or process: the functions among a case's options as a module of their
// own, behind what the case's file declares besides its cases.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, dirname, join, relative } from 'node:path'
import type * as TypeScript from 'typescript'
import { OPTIONS as HANDLER_FUNCTIONS } from '../../lib/handler/resolve.js'
import { sourceOf } from './capture.js'
import type { Options } from './served.js'

const ROOT = join(import.meta.dirname, '../..')

let folder: string | undefined
/** Modules of the tests in JavaScript, by their source. */
const compiled = new Map<string, string>()
let handlers = 0

/**
 * Options of a server whose handler runs elsewhere. Its functions see what `caseFile` declares and what they were
 * said to capture, and nothing else of their case. All is JavaScript, and imports that only cases use are left out: workers start sooner so.
 */
export function sent(options: Options, caseFile: string): Options {
  const rest = { ...options }
  const lines: string[] = []
  for (const name of Object.keys(HANDLER_FUNCTIONS)) {
    if (typeof rest[name] !== 'function') continue
    lines.push(`const sent_${name} = ${sourceOf(rest[name], name)}`)
    lines.push(`export { sent_${name} as ${name} }`)
    delete rest[name]
  }
  if (lines.length === 0) return rest
  // Where nothing handles requests they are echoed, but a module that is given has to handle them.
  if (options['handleRequest'] === undefined && options['handleBatch'] === undefined)
    lines.push('export const handleRequest = (request) => request')
  const text = readFileSync(caseFile, 'utf8').replaceAll(
    /^export const \w+: Cases = \{\n.*?^\}\n/gms,
    '',
  )
  handlers++
  const handlerModule = write(`handler${handlers}`, `${text}\n${lines.join('\n')}\n`, caseFile)
  return { ...rest, handlerModule }
}

/** Compiles `text`, which stands in `file` or was made of it, with whatever it imports of the tests. */
function write(name: string, text: string, file: string): string {
  const ts = createRequire(import.meta.url)('typescript') as typeof TypeScript
  if (folder === undefined) {
    const made = mkdtempSync(join(tmpdir(), 'gaidaros-sent-'))
    process.on('exit', () => rmSync(made, { recursive: true, force: true }))
    folder = made
  }
  const { outputText } = ts.transpileModule(text, {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
  })
  const path = join(folder, `${name}.mjs`)
  const linked = outputText.replaceAll(
    /from '(\.\.?\/[^']+)'/g,
    (_, imported: string) => `from '${compiledPath(join(dirname(file), imported))}'`,
  )
  writeFileSync(path, linked)
  return path
}

/** Where a module that is imported as `path` stands in JavaScript; the library's own are built. */
function compiledPath(path: string): string {
  const inRoot = relative(ROOT, path)
  if (inRoot.startsWith('dist/')) return path
  if (inRoot.startsWith('lib/')) return join(ROOT, 'dist', inRoot.slice('lib/'.length))
  const known = compiled.get(path)
  if (known !== undefined) return known
  const source = path.replace(/js$/, 'ts')
  const name = basename(path, '.js')
  compiled.set(path, join(folder as string, `${name}.mjs`))
  return write(name, readFileSync(source, 'utf8'), source)
}
