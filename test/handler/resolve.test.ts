import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import type { Connection } from '../../lib/handler/contract.js'
import { type HandlerSettings, resolveHandler } from '../../lib/handler/resolve.js'
import { seesSecondArgument } from '../../lib/handler/source.js'

const run = promisify(execFile)
const none = undefined as unknown as Connection
const LINE = { kind: 'delimiter', delimiter: Buffer.from('\n'), strip: false }

/** Files in a directory of the test's own. */
function files(test: Test, contents: Record<string, string>): string {
  const directory = test.testdir()
  for (const [name, text] of Object.entries(contents)) writeFileSync(join(directory, name), text)
  return directory
}

async function call(settings: HandlerSettings, request: unknown, base?: string): Promise<unknown> {
  const plan = await resolveHandler(settings, base === undefined ? {} : { base })
  return plan.handleRequest?.(request, none)
}

function refuses(test: Test, settings: HandlerSettings, pattern: RegExp, base?: string) {
  const made = resolveHandler(settings, base === undefined ? {} : { base })
  return test.rejects(made, { code: 'ERR_GAIDAROS_HANDLER', message: pattern })
}

t.test('no handler is the echo of lines', async (t) => {
  const plan = await resolveHandler({})
  const request = Buffer.from('a')
  t.equal(plan.handleRequest?.(request, none), request)
  t.match(plan.framer, LINE)
  t.equal(plan.seesConnection, false)
  t.equal(plan.keepalive, true)
})

t.test('functions are taken as they are given', async (t) => {
  const handleRequest = (request: Buffer, connection: Connection) => [request, connection]
  const opened = () => undefined
  const plan = await resolveHandler({ handleRequest, opened, decodeRequest: 'latin1' })
  t.equal(plan.handleRequest, handleRequest)
  t.equal(plan.opened, opened)
  t.equal(plan.decodeRequest, 'latin1')
  t.equal(plan.seesConnection, true)
})

t.test('module: standard names, other names, CommonJS, default export', async (t) => {
  const base = files(t, {
    'a.mjs': `export const handleRequest = (r) => 'a' + r
      export const other = (r) => 'o' + r
      export const deep = { er: (r) => 'd' + r }
      export const endRequest = 'fixed:3'
      export const decodeRequest = 'utf8'
      export const closed = () => 1`,
    'b.cjs': `module.exports = { handleRequest(r) { return 'b' + r } }`,
    'c.mjs': `export default { handleRequest: (r) => 'c' + r }`,
  })
  t.equal(await call({ handlerModule: './a.mjs' }, 1, base), 'a1')
  t.equal(await call({ handlerModule: 'a.mjs' }, 1, base), 'a1')
  t.equal(await call({ handlerModule: join(base, 'a.mjs') }, 1), 'a1')
  t.equal(await call({ handlerModule: './a.mjs', handleRequest: 'other' }, 1, base), 'o1')
  t.equal(await call({ handlerModule: './a.mjs', handleRequest: 'deep.er' }, 1, base), 'd1')
  t.equal(await call({ handlerModule: './a.mjs', handleRequest: (r: number) => -r }, 1, base), -1)
  t.equal(await call({ handlerModule: './b.cjs' }, 1, base), 'b1')
  t.equal(await call({ handlerModule: './c.mjs' }, 1, base), 'c1')
  const plan = await resolveHandler({ handlerModule: './a.mjs' }, { base })
  t.match(plan, { framer: { kind: 'fixed', size: 3 }, decodeRequest: 'utf8' })
  t.type(plan.closed, 'function')
})

t.test('module: the name of an installed package', async (t) => {
  const base = t.testdir({
    node_modules: { greet: { 'index.js': 'exports.handleRequest = (r) => "hi " + r' } },
  })
  t.equal(await call({ handlerModule: 'greet' }, 'x', base), 'hi x')
})

t.test('class: args, kwargs last, methods bound', async (t) => {
  class Answerer {
    readonly words: unknown[]
    constructor(...words: unknown[]) {
      this.words = words
    }
    handleRequest(request: string) {
      return [...this.words, request]
    }
    other(): unknown {
      return this.words.length
    }
  }
  const both = { handlerClassArgs: ['a', 2], handlerClassKwargs: { x: 1 } }
  t.strictSame(await call({ handlerClass: Answerer, ...both }, 'r'), ['a', 2, { x: 1 }, 'r'])
  t.equal(await call({ handlerClass: Answerer, handleRequest: 'other' }, 'r'), 0)
  const plan = await resolveHandler({ handlerClass: Answerer })
  t.equal(plan.seesConnection, false, 'the method itself is looked at, not what binds it')
})

t.test('class: by the name of an export; its methods win over exports', async (t) => {
  const base = files(t, {
    'a.mjs': `export class Greeter { #n; constructor(n) { this.#n = n } handleRequest(r) { return this.#n + r } }
      export const handleRequest = () => 'export'
      export const second = () => 'second'`,
  })
  const greeter = { handlerModule: './a.mjs', handlerClass: 'Greeter', handlerClassArgs: ['n'] }
  t.equal(await call(greeter, 'r', base), 'nr')
  t.equal(await call({ ...greeter, handleRequest: 'second' }, 'r', base), 'second')
  await refuses(t, { ...greeter, handlerClass: 'Greter' }, /"Greter".*did you mean Greeter\?/, base)
})

t.test('arrow expressions compile when they may', async (t) => {
  t.equal(await call({ handleRequest: 'r => r + 1 // more' }, 1), 2)
  t.equal(await call({ handleRequest: 'async (r) => ({ r })' }, 1).then(Boolean), true)
  await refuses(t, { handleRequest: 'r => (' }, /handle_request: "r => \(": .*wanted an arrow/)
  await refuses(t, { handleRequest: '() => 1) + (2' }, /handle_request/)
  await refuses(t, { handleRequest: '(1)' }, /makes a number/)
  const refused = resolveHandler({ handleRequest: 'r => r' }, { allowCode: false })
  await t.rejects(refused, { code: 'ERR_GAIDAROS_HANDLER', message: /code is not allowed here/ })
})

t.test('framers: declared, functions, one of each', async (t) => {
  const whole = () => true
  const cut = (bytes: Buffer): [Buffer, Buffer] => [bytes, Buffer.alloc(0)]
  const framing = async (settings: HandlerSettings) => {
    const { framer, framing } = await resolveHandler(settings)
    return { framer: framer.kind, framing }
  }
  const native = { framing: undefined }
  t.strictSame(await framing({ endRequest: 'eof' }), { framer: 'eof', ...native })
  t.strictSame(await framing({ splitRequest: 'fixed:2' }), { framer: 'fixed', ...native })
  const same = { endRequest: 'line', splitRequest: 'line' }
  t.strictSame(await framing(same), { framer: 'delimiter', ...native })
  t.strictSame(await framing({ endRequest: whole }), {
    framer: 'chunk',
    framing: { endRequest: whole, splitRequest: undefined },
  })
  t.match(await framing({ splitRequest: cut }), {
    framer: 'chunk',
    framing: { endRequest: LINE, splitRequest: cut },
  })
  t.match(await framing({ endRequest: whole, splitRequest: { framer: 'fixed', size: 2 } }), {
    framing: { endRequest: whole, splitRequest: { kind: 'fixed', size: 2 } },
  })
  await refuses(t, { endRequest: 'length:u9' }, /end_request: .*u9/)
  await refuses(t, { splitRequest: 'delimiter:' }, /split_request/)
})

t.test('misuse is named', async (t) => {
  const base = files(t, {
    'broken.mjs': 'export const x = ;',
    'throws.mjs': 'throw new Error("at load")',
    'helper.mjs': 'export const handleRequst = () => 1; export const word = "x"',
    'both.mjs': 'export const handleRequest = () => 1; export const handleBatch = () => {}',
  })
  await refuses(t, { handlerModule: './missing.mjs' }, /there is no file .*missing\.mjs/, base)
  await refuses(t, { handlerModule: 'no-such-package' }, /neither a file in .* nor a package/, base)
  await refuses(
    t,
    { handlerModule: './broken.mjs' },
    /broken\.mjs cannot be loaded: SyntaxErr/,
    base,
  )
  await refuses(t, { handlerModule: './throws.mjs' }, /cannot be loaded: Error: at load/, base)
  await refuses(
    t,
    { handlerModule: './helper.mjs' },
    /has neither .*did you mean handleRequst\?/,
    base,
  )
  const named = { handlerModule: './helper.mjs', handleRequest: 'word' }
  await refuses(t, named, /"word" .* is of type string/, base)
  await refuses(t, { handleRequest: 'toString' }, /no handler_module or handler_class/)
  await refuses(t, { handlerModule: './both.mjs' }, /both are set/, base)
  const batchOnly = { handlerModule: './both.mjs', handleBatch: 'handleBatch' }
  t.type((await resolveHandler(batchOnly, { base })).handleBatch, 'function')
  await refuses(t, { handleBatch: () => undefined, decodeRequest: () => 1 }, /decode_request/)
  class Broken {
    constructor() {
      throw new Error('no disk')
    }
  }
  await refuses(t, { handlerClass: Broken }, /Broken cannot be constructed: Error: no disk/)
})

const TYPED = {
  'handler.ts': `import { shout } from './dep.js'
import { tail } from './tail'
import type { Gone } from './nowhere.js'
interface Unused { a: Gone }
enum Mode { Loud = '!' }

export class Handler {
  constructor(private readonly word: string) {}
  handleRequest(request: string): string { return this.word + shout(request) + Mode.Loud + tail }
}
export function boom(request: string): never {
  const unused: Unused | undefined = undefined
  throw new Error('here' + String(unused) + request)
}
export const handleRequest = (request: string): string => shout(request)
`,
  'dep.ts': 'export const shout = (s: string): string => s.toUpperCase()\n',
  'tail.mts': 'export const tail: string = "."\n',
  'old.cts': 'const n: number = 1\nexports.handleRequest = (r: string) => r + n\n',
  'bad.ts': 'export const a: number = 1\nexport const b = = 2\n',
}

t.test('TypeScript handlers need no build step', async (t) => {
  const base = files(t, TYPED)
  const typed = { handlerModule: './handler.ts' }
  t.equal(await call(typed, 'a', base), 'A')
  const made = { ...typed, handlerClass: 'Handler', handlerClassArgs: ['w'] }
  t.equal(await call(made, 'a', base), 'wA!.')
  t.equal(await call({ handlerModule: './old.cts' }, 'a', base), 'a1')
  await refuses(t, { handlerModule: './bad.ts' }, /bad\.ts:2[\s\S]*export const b = = 2/, base)
  const plan = await resolveHandler({ ...typed, handleRequest: 'boom' }, { base })
  const error = t.throws(() => plan.handleRequest?.('', none)) as Error
  t.match(error.stack, /handler\.ts:13/, 'the stack shows the line of the .ts file')
})

/** Serves nothing; resolves a handler, in a thread or a process of its own, and prints what it answers. */
const SCRIPT = `import { Worker, isMainThread } from 'node:worker_threads'
const { resolveHandler } = await import(process.env.RESOLVE)
if (isMainThread && process.env.THREAD) new Worker(new URL(import.meta.url))
else {
  const plan = await resolveHandler({ handlerModule: process.env.MODULE })
  console.log(plan.handleRequest('a'), process.sourceMapsEnabled)
}`

t.test('TypeScript handlers in worker threads and child processes', async (t) => {
  const base = files(t, {
    ...TYPED,
    'main.mjs': SCRIPT,
    'plain.mjs': 'export const handleRequest = (r) => r',
  })
  const print = async (module: string, thread: string) => {
    const env = {
      ...process.env,
      RESOLVE: new URL('../../lib/handler/resolve.ts', import.meta.url).href,
      MODULE: module,
      THREAD: thread,
      NODE_OPTIONS: '',
    }
    const loader = import.meta.resolve('@tapjs/typescript/import')
    const { stdout } = await run(process.execPath, ['--import', loader, 'main.mjs'], {
      cwd: base,
      env,
    })
    return stdout
  }
  t.equal(await print('./handler.ts', ''), 'A true\n')
  t.equal(await print('./handler.ts', 'yes'), 'A true\n')
  t.match(await print('./plain.mjs', ''), 'a ')
})

t.test('which functions can see their connection', async (t) => {
  const blind: ((...args: never[]) => unknown)[] = [
    (r: unknown) => r,
    async (r: unknown) => r,
    () => 1,
    function named(r: unknown) {
      return r
    },
    {
      method(r: unknown) {
        return r
      },
    }.method,
    {
      async method(r: unknown) {
        return r
      },
    }.method,
  ]
  for (const fn of blind) t.equal(seesSecondArgument(fn), false, fn.toString())
  const seeing: ((...args: never[]) => unknown)[] = [
    (r: unknown, c: unknown) => [r, c],
    (...all: unknown[]) => all,
    (r: unknown, c = 1) => [r, c],
    ({ length }: { length: number }) => length,
    function f() {
      // biome-ignore lint/complexity/noArguments: what it must notice
      return arguments[1]
    },
    ((r: unknown) => r).bind(null),
  ]
  for (const fn of seeing) t.equal(seesSecondArgument(fn), true, fn.toString())
})
