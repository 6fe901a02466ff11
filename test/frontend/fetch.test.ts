// Frontend fetch: where its handler is found, what is refused beside it, and what handlers leave behind in workers.

import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { Gaidaros } from '../../dist/index.js'

type Options = ConstructorParameters<typeof Gaidaros>[0]

const folder = mkdtempSync(join(tmpdir(), 'gaidaros-fetch-'))
t.teardown(() => rmSync(folder, { recursive: true }))

let files = 0
function moduleOf(text: string, ending = 'mjs'): string {
  files++
  const path = join(folder, `module${files}.${ending}`)
  writeFileSync(path, text)
  return path
}

const server = (options: Options) =>
  new Gaidaros({ frontend: 'fetch', host: '127.0.0.1', port: 0, log: () => undefined, ...options })

/** The body of the response to one request. */
async function ask(port: number | undefined, path = '/'): Promise<string> {
  const socket = createConnection({ host: '127.0.0.1', port: port ?? 0 })
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
  let text = ''
  socket.setEncoding('latin1').on('data', (piece: string) => {
    text += piece
  })
  await once(socket, 'close')
  return text.slice(text.indexOf('\r\n\r\n') + 4)
}

async function answered(options: Options): Promise<string> {
  await using one = server(options)
  const [address] = await one.serve()
  return await ask(address?.port)
}

const REPLY = "new Response('found')"

for (const [name, text, ending] of [
  ['an object with a method', `export default { fetch(request) { return ${REPLY} } }`],
  ['its this', `export default { text: 'found', fetch() { return new Response(this.text) } }`],
  [
    'the instance of a class',
    `class A { text = 'found'; fetch() { return new Response(this.text) } }\nexport default new A()`,
  ],
  ['a function', `export default function handler() { return ${REPLY} }`],
  ['an export by name', `export const fetch = async () => ${REPLY}`],
  ['the default export first', `export const fetch = 1\nexport default { fetch: () => ${REPLY} }`],
  ['CommonJS', `module.exports = { fetch: () => ${REPLY} }`, 'cjs'],
  ['CommonJS with a default export', `exports.default = { fetch: () => ${REPLY} }`, 'cjs'],
  ['TypeScript', `export default { fetch: (_: Request): Response => ${REPLY} }`, 'ts'],
  [
    'exports that mean nothing here',
    `export const closed = 1, endRequest = 2, handleBatch = 3\nexport default { fetch: () => ${REPLY} }`,
  ],
] as const)
  void t.test(`the handler of a module: ${name}`, async (t) => {
    t.equal(await answered({ handlerModule: moduleOf(text, ending) }), 'found')
  })

void t.test('the handler that options name', async (t) => {
  const handlerModule = moduleOf(
    `export const app = { fetch: () => ${REPLY} }\nexport class A { fetch() { return ${REPLY} } }`,
  )
  t.equal(await answered({ handlerModule, handleRequest: 'app.fetch' }), 'found')
  t.equal(await answered({ handlerModule, handlerClass: 'A' }), 'found')
  t.equal(await answered({ handleRequest: () => new Response('given') }), 'given')
})

void t.test('no handler', async (t) => {
  const none = server({ handlerModule: moduleOf('export const other = () => 1') })
  await t.rejects(none.serve(), {
    code: 'ERR_GAIDAROS_HANDLER',
    message: /has no fetch; wanted a module with export default \{ fetch\(request\) \{\} \}/,
  })
  await t.rejects(server({}).serve(), { message: /frontend fetch: there is no handler/ })
})

void t.test('what is refused beside it', (t) => {
  const handleRequest = () => new Response('')
  for (const [options, message] of [
    [{ endRequest: 'http' }, /end_request.*wanted none with frontend fetch/],
    [{ splitRequest: 'line' }, /split_request.*wanted none with frontend fetch/],
    [{ decodeRequest: 'utf8' }, /decode_request.*wanted none with frontend fetch/],
    [{ encodeResponse: 'utf8' }, /encode_response.*wanted none with frontend fetch/],
    [{ protocol: 'UDP' }, /protocol.*wanted TCP, unixsocket or vsock with frontend fetch/],
    [{ frontend: 'http' }, /frontend.*not available in this version; it must be empty or fetch/],
    [{ frontend: 'ws' }, /frontend.*not available in this version; it must be empty or fetch/],
  ] as [Options, RegExp][])
    t.throws(() => server({ handleRequest, ...options }), { code: 'ERR_GAIDAROS_OPTION', message })
  t.throws(() => server({ handleBatch: () => undefined }), {
    message: /handle_batch.*wanted none with frontend fetch/,
  })
  t.end()
})

const LEAVING = `
import { appendFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
export default {
  fetch(request, env, context) {
    const file = new URL(request.url).searchParams.get('file')
    context.waitUntil(setTimeout(100).then(() => appendFileSync(file, 'done')))
    return new Response(env.remote.address)
  },
}`

for (const handlerType of [
  '',
  'gthread',
  'gthreadpool',
  'thread',
  'threadpool',
  'proc',
  'procpool',
] as const)
  void t.test(`waitUntil is waited for, handler_type "${handlerType}"`, async (t) => {
    const file = join(folder, `waited-${handlerType}`)
    const handlerModule = moduleOf(LEAVING)
    const one = server({ handlerModule, handlerType, handlerPoolSize: 2, shutdownGrace: '30s' })
    const [address] = await one.serve()
    t.equal(await ask(address?.port, `/?file=${encodeURIComponent(file)}`), '127.0.0.1')
    await one.close()
    t.equal(readFileSync(file, 'utf8'), 'done')
  })

void t.test('what takes longer than shutdown_grace is left', async (t) => {
  const handleRequest = (_: Request, __: unknown, context: { waitUntil(p: unknown): void }) => {
    context.waitUntil(new Promise(() => undefined))
    return new Response('')
  }
  const one = server({ handleRequest: handleRequest as never, shutdownGrace: '50ms' })
  const [address] = await one.serve()
  await ask(address?.port)
  await one.close()
  t.pass('closed')
})

void t.test('reload: the next requests are the new handler’s', async (t) => {
  const handlerModule = moduleOf("export default { fetch: () => new Response('before') }")
  await using one = server({ handlerModule })
  const [address] = await one.serve()
  t.equal(await ask(address?.port), 'before')
  writeFileSync(handlerModule, "export default { fetch: () => new Response('after') }")
  await one.reload()
  t.equal(await ask(address?.port), 'after')
})

void t.test('the access log has its requests', async (t) => {
  const accessLog = join(folder, 'access')
  const one = server({ handleRequest: () => new Response('noted'), accessLog })
  const [address] = await one.serve()
  await ask(address?.port)
  await one.close()
  t.match(readFileSync(accessLog, 'utf8'), /handleRequest/)
})
