// Handlers that run in another thread or process: the functions among a case's options as a module of their
// own, behind what they use of what the case's file declares.

import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, dirname, join, relative } from 'node:path'
import type * as TypeScript from 'typescript'
import { OPTIONS as HANDLER_FUNCTIONS } from '../../lib/handler/resolve.js'
import { sourceOf } from './capture.js'
import type { Options } from './served.js'
import { Unfit } from './unfit.js'

const ROOT = join(import.meta.dirname, '../..')
/** What was compiled is kept from run to run: the same cases run over many combinations. */
const KEPT = join(ROOT, 'node_modules/.cache/gaidaros-sent')

let folder: string | undefined
/** Modules of the tests in JavaScript, by their source. */
const compiled = new Map<string, string>()
let handlers = 0

/**
 * Options of a server whose handler runs elsewhere. Its functions see what `caseFile` declares and what they were
 * said to capture, and nothing else of their case. All is JavaScript, and what only cases use is left out: workers start sooner so.
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
  const text = declarations(caseFile, lines.join('\n'))
  handlers++
  const handlerModule = write(`handler${handlers}`, `${text}\n${lines.join('\n')}\n`, caseFile)
  return { ...rest, handlerModule }
}

/** What the file declares or imports that `code` uses, and what that uses. */
function declarations(file: string, code: string): string {
  const ts = typescript()
  const source = parsed(ts, file)
  const words = new Set(wordsOf(code))
  const chosen = new Set<TypeScript.Statement>()
  const choose = (each: TypeScript.Statement) => {
    chosen.add(each)
    for (const word of wordsOf(each.getText(source))) words.add(word)
  }
  const uses = (each: TypeScript.Statement) =>
    !chosen.has(each) && namesOf(ts, each).some((name) => words.has(name))
  for (
    let found = source.statements.filter(uses);
    found.length > 0;
    found = source.statements.filter(uses)
  )
    found.forEach(choose)
  return source.statements
    .filter((each) => chosen.has(each))
    .map((each) => each.getText(source))
    .join('\n')
}

const sources = new Map<string, TypeScript.SourceFile>()

function parsed(ts: typeof TypeScript, file: string): TypeScript.SourceFile {
  const known = sources.get(file)
  if (known !== undefined) return known
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.ES2022)
  sources.set(file, source)
  return source
}

const wordsOf = (code: string): string[] => code.match(/[\w$]+/g) ?? []

/** What a statement of a module declares; nothing for the cases themselves, which no handler uses. */
function namesOf(ts: typeof TypeScript, statement: TypeScript.Statement): string[] {
  if (ts.isImportDeclaration(statement)) {
    const bindings = statement.importClause?.namedBindings
    const named = bindings && ts.isNamedImports(bindings) ? bindings.elements : []
    return named.map(({ name }) => name.text)
  }
  if (ts.isFunctionDeclaration(statement)) return statement.name ? [statement.name.text] : []
  if (!ts.isVariableStatement(statement) || statement.modifiers !== undefined) return []
  return statement.declarationList.declarations.flatMap(({ name }) =>
    ts.isIdentifier(name) ? [name.text] : [],
  )
}

/** A name that a module looks at and nobody has declared: a variable of the case that its handler closes over. */
function unknownName(code: string): string | undefined {
  const ts = typescript()
  const name = 'handler.js'
  const options = { allowJs: true, checkJs: true, noLib: true, noResolve: true, types: [] }
  const host = ts.createCompilerHost(options)
  host.getSourceFile = (file, version) =>
    file === name ? ts.createSourceFile(file, code, version) : undefined
  const program = ts.createProgram([name], options, host)
  return program
    .getSemanticDiagnostics(program.getSourceFile(name))
    .filter(({ messageText }) =>
      /^(Cannot find name|No value exists in scope)/.test(`${messageText}`),
    )
    .map(({ start = 0, length = 0 }) => code.slice(start, start + length))
    .find((each) => !(each in globalThis))
}

const typescript = () => createRequire(import.meta.url)('typescript') as typeof TypeScript

interface Compiled {
  code: string
  /** See unknownName(). */
  missing: string | undefined
}

/** `text` in JavaScript. */
function compile(text: string): Compiled {
  const ts = typescript()
  const name = createHash('sha256').update(`${ts.version} ${text}`).digest('hex')
  const file = join(KEPT, `${name}.json`)
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as Compiled
  const { outputText: code } = ts.transpileModule(text, {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
  })
  const result = { code, missing: unknownName(code) }
  mkdirSync(KEPT, { recursive: true })
  // Whoever reads it meanwhile finds all of it or nothing.
  const own = `${file}.${process.pid}`
  writeFileSync(own, JSON.stringify(result))
  renameSync(own, file)
  return result
}

/** Compiles `text`, which stands in `file` or was made of it, with whatever it imports of the tests. */
function write(name: string, text: string, file: string): string {
  if (folder === undefined) {
    const made = mkdtempSync(join(tmpdir(), 'gaidaros-sent-'))
    process.on('exit', () => rmSync(made, { recursive: true, force: true }))
    folder = made
  }
  const { code, missing } = compile(text)
  if (missing !== undefined) throw new Unfit(`its handler looks at ${missing} of its case`)
  const path = join(folder, `${name}.mjs`)
  const linked = code.replaceAll(
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
