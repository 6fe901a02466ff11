// Runs every example of README.md, docs/ and bench/README.md: what is fenced is a file, a server, a client
// with the output it must see, a command, or a program. What no test can run (installing, measuring) is
// marked no-run, and counted so that it stays little; a picture of a terminal is measured. A fence of any other kind fails.

import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import ts from 'typescript'
import { REASONS } from '../../lib/engine/reasons.js'
import { Command, plainEnv, root, temporary } from '../cli/command.js'
import { lacking } from '../compiler.js'

interface Block {
  /** First word of the info string, then the rest of it. */
  language: string
  role: string
  text: string
  line: number
}

const DEADLINE_MS = 90_000
/** Blocks marked no-run, in all documents together. */
const MOST_NOT_RUN = 5
/** Columns of a picture of a terminal. */
const WIDEST = 120

function blocksOf(markdown: string): Block[] {
  const fence = /^```(\S+) ?(.*)\n([\s\S]*?)^```$/gm
  return [...markdown.matchAll(fence)].map(
    ({ 1: language = '', 2: role = '', 3: text = '', index }) => ({
      language,
      role,
      text,
      line: markdown.slice(0, index).split('\n').length,
    }),
  )
}

/** Words of a command line; single quotes keep spaces. */
const words = (line: string): string[] =>
  [...line.trim().matchAll(/'([^']*)'|\S+/g)].map((match) => match[1] ?? match[0])

const COMMAND = /^npx gaidaros /

/** The state of one document: its files, and the server that was started last. */
class Document {
  readonly #t: Test
  readonly #folder: string
  readonly #env: NodeJS.ProcessEnv
  #ports: [stated: string, real: number] = ['', 0]
  #output: string | undefined
  #server: Command | undefined

  constructor(test: Test) {
    this.#t = test
    this.#folder = temporary(test)
    mkdirSync(join(this.#folder, 'node_modules'))
    symlinkSync(root, join(this.#folder, 'node_modules', 'gaidaros'))
    for (const peer of ['zeromq', 'hono'])
      symlinkSync(join(root, 'node_modules', peer), join(this.#folder, 'node_modules', peer))
    writeFileSync(join(this.#folder, 'package.json'), '{"type":"module"}')
    this.#env = { ...plainEnv(), HOME: this.#folder }
  }

  async run(block: Block): Promise<void> {
    const [role = '', value = ''] = block.role.split('=')
    const where = `line ${block.line}`
    if (role === 'file') writeFileSync(join(this.#folder, value), block.text)
    else if (role === 'serves') await this.#serve(block.text, value)
    else if (role === 'client') this.#output = this.#shell(this.#withPort(block.text), where)
    else if (role === 'command') this.#output = this.#shell(asNode(block.text), where)
    else if (role === 'program') this.#output = this.#program(block.text, where)
    else if (role === 'check') this.#check(block, where)
    else if (role === 'output') this.#compare(block.text, where)
    else if (role === 'picture') this.#measure(block.text, where)
    else if (role === 'no-run') this.#t.comment(`${where}: not run`)
    else this.#t.fail(`${where}: a fence of unknown kind: ${block.language} ${block.role}`)
  }

  /** Command lines, or a configuration file, that must be right as they stand. */
  #check({ language, text }: Block, where: string): void {
    writeFileSync(join(this.#folder, 'handler.ts'), 'export const handleRequest = (r: Buffer) => r')
    if (language === 'conf')
      writeFileSync(join(this.#folder, 'checked.conf'), text.replaceAll('/srv/echo', this.#folder))
    const lines = language === 'conf' ? ['-c checked.conf'] : text.trim().split('\n')
    for (const line of lines)
      this.#shell(
        `${asNode(`npx gaidaros ${line.replace(/^gaidaros /, '')}`)} --check-config --allow-code`,
        where,
      )
  }

  async end(): Promise<void> {
    await this.#server?.stop()
  }

  /** Starts the server, on a port of the kernel's choice where clients call one: by the stated one. */
  async #serve(text: string, address: string): Promise<void> {
    await this.end()
    const stated = address.split(':')[1] ?? ''
    const args = words(text.replace(COMMAND, ''))
    const at = args.indexOf('-p')
    if (at >= 0) args.splice(at, 2)
    const place = address === 'unix' ? [] : ['-p', '0']
    this.#server = new Command([...args, ...place, '--allow-root'], {
      cwd: this.#folder,
      env: this.#env,
    })
    if (address === 'unix') await this.#server.until(/try it/)
    else this.#ports = [stated, await this.#server.port()]
  }

  #withPort(text: string): string {
    const [stated, real] = this.#ports
    if (stated === '') return text
    return text.replaceAll(stated, String(real))
  }

  #shell(text: string, where: string): string {
    const { status, stdout, stderr } = spawnSync('bash', ['-c', `set -o pipefail; ${text}`], {
      cwd: this.#folder,
      env: this.#env,
      encoding: 'utf8',
      timeout: DEADLINE_MS,
    })
    this.#t.equal(status, 0, `${where}: ${text.trim()}\n${stderr}`)
    return stdout
  }

  #program(text: string, where: string): string {
    const compiled = ts.transpileModule(text, {
      compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
    })
    writeFileSync(join(this.#folder, 'program.mjs'), compiled.outputText)
    return this.#shell('node program.mjs', where)
  }

  /** What a terminal showed once: no run shows the same, but it has to fit. */
  #measure(text: string, where: string): void {
    const widest = Math.max(...text.split('\n').map((line) => [...line].length))
    this.#t.ok(widest <= WIDEST, `${where}: ${widest} columns`)
  }

  #compare(text: string, where: string): void {
    this.#t.equal(this.#output?.trimEnd(), text.trimEnd(), `${where}: what the document says`)
  }
}

const asNode = (text: string): string =>
  text.replace(COMMAND, `'${process.execPath}' '${join(root, 'bin', 'gaidaros.js')}' `)

const documents = [
  'README.md',
  'bench/README.md',
  ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`),
]
  .filter((path) => path.endsWith('.md'))
  .map((path) => {
    const text = readFileSync(join(root, path), 'utf8')
    return { path, text, blocks: blocksOf(text) }
  })
const hasNetcat = spawnSync('nc', ['-h'], { encoding: 'utf8' }).stderr?.includes('-N') === true

/** A transcript of the compiler's complaints about `names` in `folder`; '' when it has none. */
function complaints(folder: string, names: readonly string[]): string {
  const program = ts.createProgram(
    names.map((name) => join(folder, name)),
    {
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.NodeNext,
      lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
      typeRoots: [join(root, 'node_modules', '@types')],
      types: ['node'],
      strict: true,
      noEmit: true,
      skipLibCheck: true,
    },
  )
  return ts
    .getPreEmitDiagnostics(program)
    .map(
      ({ file, messageText }) =>
        `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`,
    )
    .join('\n')
}

void t.test('blocks that are not run stay few, and no code hides from the tests', async (t) => {
  const unrun = documents.flatMap(({ blocks }) => blocks.filter(({ role }) => role === 'no-run'))
  t.ok(unrun.length <= MOST_NOT_RUN, `${unrun.length} blocks are not run`)
  for (const { path, text } of documents) {
    const prose = text.replace(/^```[\s\S]*?^```$/gm, '')
    t.notMatch(prose, /\n\n(?: {4}|\t)\S/, `${path}: code is fenced, not indented`)
    t.notMatch(prose, /^[ \t]*(?:```|~~~)/m, `${path}: every fence is closed and has a kind`)
  }
})

void t.test('the handler guide names every reason of a closed connection', async (t) => {
  const guide = documents.find(({ path }) => path === 'docs/handlers.md')?.text ?? ''
  const table = guide.slice(guide.indexOf('| reason |'))
  const named = [...table.matchAll(/^\| `(\w+)` \|/gm)].map((match) => match[1])
  t.strictSame(named, [...REASONS])
})

void t.test('examples in TypeScript have the right types', async (t) => {
  const folder = temporary(t)
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(root, join(folder, 'node_modules', 'gaidaros'))
  symlinkSync(join(root, 'node_modules/hono'), join(folder, 'node_modules', 'hono'))
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  const names = documents.flatMap(({ blocks }, nth) =>
    blocks
      .filter(({ language }) => language === 'ts')
      .map(({ text, line }) => {
        const name = `${nth}-${line}.ts`
        writeFileSync(join(folder, name), text)
        return name
      }),
  )
  t.ok(names.length > 0)
  t.equal(complaints(folder, names), '')
})

for (const { path, blocks } of documents) {
  void t.test(path, async (t) => {
    const client = blocks.some(({ role }) => role === 'client')
    if (client && !hasNetcat) return lacking(t, 'nc of OpenBSD is not installed')
    const document = new Document(t)
    try {
      for (const block of blocks) await document.run(block)
    } finally {
      await document.end()
    }
    t.pass(`${blocks.length} examples`)
  })
}
